"""examples/web: gunicorn behind nginx or haproxy, as one group; with real clients, over TLS."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Slow, Web, name, needs
from tests.support import eventually, gone, is_alive

pytestmark = [needs("curl", "gunicorn", "openssl")]
with_nginx = needs("nginx")
with_haproxy = needs("haproxy")

NGINX, HAPROXY = "pairvisor.toml", "haproxy.toml"
GREETING = "Welcome to the shop, by https. Restarts: {}.\n"
SLOW = ["3 s to go\n", "2 s to go\n", "1 s to go\n", "done\n"]


def milestones(said: str) -> list[str]:
    """Who was ready, or had succeeded or stopped, in order; told by the supervisor alone."""
    pattern = r"^pairvisor +. (\w+) (?:is )?(ready|succeeded|stopped)\b"
    return [" ".join(match) for match in re.findall(pattern, said, re.MULTILINE)]


def has_nothing_left(web: Web, before: set[int]) -> bool:
    runtime = Path(web.env["XDG_RUNTIME_DIR"], "pairvisor")
    return not any(map(is_alive, before)) and not list(runtime.iterdir()) and not web.is_listening()


@with_nginx
def test_nginx_answers_over_tls(web: Web) -> None:
    web.start()
    assert milestones(web.read_until_ready()) == [
        "certificate succeeded",
        "configuration succeeded",
        "tls ready",
        "primary ready",
    ]
    assert web.get("/") == GREETING.format(0)
    before = web.tree()
    assert web.group.stop() == 0
    assert has_nothing_left(web, before)


@with_haproxy
def test_haproxy_answers_over_tls(web: Web) -> None:
    """It is ready when it says so by sd_notify: it has no other probe."""
    web.start(HAPROXY)
    assert milestones(web.read_until_ready()) == [
        "certificate succeeded",
        "primary ready",
        "tls ready",
    ]
    assert web.get("/") == GREETING.format(0)
    before = web.tree()
    assert web.group.stop() == 0
    assert has_nothing_left(web, before)


@pytest.mark.parametrize(
    "manifest", [pytest.param(NGINX, marks=with_nginx), pytest.param(HAPROXY, marks=with_haproxy)]
)
def test_the_certificate_is_verified(web: Web, manifest: str) -> None:
    web.start_until_ready(manifest)
    other = web.folder / "other"
    subprocess.run(["sh", "certificate.sh", other], cwd=web.folder, check=True)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{web.port}", "-brief"]
    command += ["-verify_return_error", "-verify_hostname", "localhost", "-CAfile"]
    openssl = [
        subprocess.run(
            [*command, authority], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        for authority in (web.authority, other / "ca.crt")
    ]
    assert [ran.returncode for ran in openssl] == [0, 1]
    assert b"Verification: OK" in openssl[0].stderr
    with pytest.raises(subprocess.CalledProcessError) as curl:
        web.get("/", "--cacert", str(other / "ca.crt"))
    assert curl.value.returncode == 60  # curl(1): the peer's certificate can't be verified


@with_nginx
def test_nginx_can_put_a_large_request_aside(web: Web) -> None:
    """Its workers write to the volume; root's have given up root's rights."""
    web.start_until_ready()
    body = web.folder / "body"
    body.write_bytes(bytes(300_000))
    assert web.get("/size", "--data-binary", f"@{body}") == "300000\n"


@with_nginx
@needs("unshare")
@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests run as one who is not root")
def test_it_needs_no_root(web: Web) -> None:
    """In a namespace in which root's files belong to user 1000, and so do its processes."""
    wrapper = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel forbids user namespaces: sysctl user.max_user_namespaces=1000")
    group = web.start(wrapper=wrapper)
    group.read_until('"user" directive makes sense only if the master process runs with super')
    web.read_until_ready()
    body = web.folder / "body"
    body.write_bytes(bytes(300_000))
    assert web.get("/size", "--data-binary", f"@{body}") == "300000\n"
    before = web.tree()
    assert group.stop() == 0
    assert has_nothing_left(web, before)


@pytest.mark.parametrize(
    ("manifest", "proxy", "member", "program"),
    [
        pytest.param(NGINX, "nginx", "primary", "gunicorn", marks=with_nginx),
        pytest.param(NGINX, "nginx", "tls", "nginx", marks=with_nginx),
        pytest.param(HAPROXY, "haproxy", "primary", "gunicorn", marks=with_haproxy),
        pytest.param(HAPROXY, "haproxy", "tls", "haproxy", marks=with_haproxy),
    ],
)
def test_a_master_that_is_killed_restarts_the_group(
    web: Web, manifest: str, proxy: str, member: str, program: str
) -> None:
    group = web.start_until_ready(manifest)
    authority = web.authority.read_bytes()
    before = web.tree()
    assert {name(pid) for pid in before} == {"gunicorn", proxy}
    os.kill(web.master(program), signal.SIGKILL)
    group.read_until(f"is restarted: {member} was killed by SIGKILL$")
    web.read_until_ready()
    for pid in before:
        gone(pid)
    assert web.get("/") == GREETING.format(1)
    assert {name(pid) for pid in web.tree()} == {"gunicorn", proxy}
    assert web.authority.read_bytes() == authority, "the volume is to outlive a restart"
    assert group.stop() == 0


@with_nginx
@pytest.mark.parametrize("program", ["gunicorn", "nginx"])
def test_a_worker_that_is_killed_is_its_masters_affair(web: Web, program: str) -> None:
    group = web.start_until_ready()
    masters = [web.master("gunicorn"), web.master("nginx")]
    eventually(lambda: len(web.workers(program)) == 2)
    killed, other = web.workers(program)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: len(web.workers(program)) == 2 and killed not in web.workers(program))
    assert other in web.workers(program)
    assert web.get("/") == GREETING.format(0)
    assert [web.master("gunicorn"), web.master("nginx")] == masters
    assert group.stop() == 0
    assert "restart" not in group.said


@with_nginx
def test_ctrl_c_lets_gunicorn_finish_while_nginx_carries_it(web: Web, slow: Slow) -> None:
    """gunicorn alone is told to stop: nginx still takes clients, if only to refuse them."""
    group = web.start_until_ready()
    client = slow(3)
    before = web.tree()
    group.signal(signal.SIGINT)
    group.read_until("Handling signal: term")
    eventually(lambda: web.status("/") == "502", within=2)
    assert client.poll() is None
    assert client.communicate()[0] == "".join(SLOW[1:])
    assert client.returncode == 0
    assert group.wait() == 0
    assert milestones(group.said) == ["primary stopped", "tls stopped"]
    assert re.search(r"^pairvisor +. stopped, as asked, after ", group.said, re.MULTILINE)
    assert has_nothing_left(web, before)


@with_haproxy
def test_ctrl_c_closes_haproxy_first_where_it_waits_for_the_primary(web: Web, slow: Slow) -> None:
    """The other order: no new clients from then on, and gunicorn is told when the last is gone."""
    group = web.start_until_ready(HAPROXY)
    client = slow(3)
    before = web.tree()
    group.signal(signal.SIGINT)
    eventually(lambda: not web.is_listening(), within=2)
    assert client.poll() is None
    assert web.master("gunicorn")
    assert client.communicate()[0] == "".join(SLOW[1:])
    assert client.returncode == 0
    assert group.wait() == 0
    assert milestones(group.said) == ["tls stopped", "primary stopped"]
    assert has_nothing_left(web, before)


@with_nginx
def test_a_certificate_that_is_missing_is_named(web: Web) -> None:
    web.change("nginx.conf", "tls/localhost.crt", "tls/none.crt")
    web.change("pairvisor.toml", "limit = 5", 'limit = 2, initial = "10ms"')
    group = web.start()
    assert group.wait() == 1
    reason = 'cannot load certificate "./volume/tls/none.crt": BIO_new_file() failed'
    assert group.said.count(reason) == 3
    assert group.said.count("group web is restarted: tls exited with 1\n") == 2
    assert re.search(
        r"^pairvisor +. failed: tls exited with 1 "
        r"\(gave up after 2 restarts within [0-9a-z ]+\), after .* s \(exit code 1\)$",
        group.said,
        re.MULTILINE,
    )
    assert "gunicorn" not in group.said, "the primary is not to start before its proxy is ready"
    assert has_nothing_left(web, set())
