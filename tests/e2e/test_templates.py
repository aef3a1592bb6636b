"""Shipped templates in small groups: real programs, and a client that sees what each is for."""

import gzip
import http.client
import json
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import pytest

from tests.e2e.conftest import PROGRAMS, free_ports, needs
from tests.process.test_control import ask
from tests.support import Up, eventually, up

pytestmark = pytest.mark.slow  # it is the programs that are tried, on one Python
APPLICATION = """
import os, socketserver, sys
from http.server import BaseHTTPRequestHandler

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hello\\n")
    def address_string(self):
        return "-"

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

with Server(sys.argv[1], Answer) as server:
    os.chmod(sys.argv[1], 0o660)
    server.serve_forever()
"""
PRIMARY = f"""
[primary]
command = ["python3", "-c", '''{APPLICATION}''', "${{sockets}}/app.sock"]
ready = {{ unix = "app.sock" }}
"""
IDLE = '[primary]\ncommand = "sleep 1000"\n'

Run = Callable[[str], AbstractContextManager[Up]]


@pytest.fixture
def run(tmp_path: Path, runtime: Path) -> Run:
    """Runs a manifest in the test's folder, with short paths of sockets.

    Root's nginx has workers of another user, who has to come through.
    """
    runtime.chmod(0o755)
    (runtime / "pairvisor").mkdir(mode=0o755)

    def start(manifest: str) -> AbstractContextManager[Up]:
        path = f"{PROGRAMS}:/usr/sbin"
        return up(tmp_path, manifest, PATH=path, XDG_RUNTIME_DIR=str(runtime))

    return start


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


def sidecar(use: str, name: str = "side", **given: object) -> str:
    """Its table."""
    pairs = ", ".join(f"{key} = {toml(value)}" for key, value in given.items())
    return f'[sidecars.{name}]\nuse = "{use}"\nwith = {{ {pairs} }}\n'


def toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return str(value) if isinstance(value, int) else f'"{value}"'


def ready(group: Up) -> None:
    group.read_until("^pairvisor +. group test is ready")


def pid(group: Up, member: str) -> int:
    """Of its main process. nginx writes its title over the environment that would tell, too."""
    members = ask(group, "/v1/status")[1]["members"]
    return next(int(m["pid"]) for m in members if m["name"] == member)


def get(url: str) -> str:
    """The page; empty where there is none yet."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            text: str = answer.read().decode()
    except OSError:
        return ""
    return text


def status(port: int, path: str = "/") -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def new_certificate(folder: Path) -> None:
    """Put a new one, that has signed itself, in the old one's place."""
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", "new.key", "-out", "new.crt"]
    command = ["openssl", "req", "-x509", "-days", "2", *kind, *names, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    both = (folder / "new.crt").read_text() + (folder / "new.key").read_text()
    (folder / "new.pem").write_text(both)
    for kind_ in ("key", "crt", "pem"):
        (folder / f"new.{kind_}").rename(folder / f"tls.{kind_}")


def serial(port: int, trusted: list[str]) -> str:
    """Of the certificate that a verifying client is served, with an answer to its request."""
    context = ssl.create_default_context()
    for certificate in trusted:
        context.load_verify_locations(cadata=certificate)
    client = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    client.sock = context.wrap_socket(
        socket.create_connection(("127.0.0.1", port)), server_hostname="localhost"
    )
    found = client.sock.getpeercert()
    with closing(client):
        client.request("GET", "/")
        got = client.getresponse().read()
        assert got == b"hello\n", got
    assert found is not None
    return str(found["serialNumber"])


PAIR = {"certificate": "tls.crt", "key": "tls.key"}


@pytest.mark.parametrize(
    ("use", "given"),
    [
        pytest.param("stunnel", PAIR, marks=needs("stunnel"), id="stunnel"),
        pytest.param("nginx-tls", PAIR, marks=needs("nginx"), id="nginx-tls"),
        pytest.param("caddy", PAIR, marks=needs("caddy"), id="caddy"),
        pytest.param("haproxy", {"certificate": "tls.pem"}, marks=needs("haproxy"), id="haproxy"),
    ],
)
@needs("openssl")
def test_a_certificate_is_changed_and_nobody_is_refused(
    tmp_path: Path, run: Run, port: int, use: str, given: dict[str, str]
) -> None:
    new_certificate(tmp_path)
    old = (tmp_path / "tls.crt").read_text()
    table = sidecar(use, accept=str(port), connect="app.sock", **given)
    with run(PRIMARY + table) as group:
        ready(group)
        before = serial(port, [old])
        main = pid(group, "side")
        new_certificate(tmp_path)
        both = [old, (tmp_path / "tls.crt").read_text()]
        eventually(lambda: serial(port, both) != before)
        assert pid(group, "side") == main
        assert group.stop() == 0


@pytest.mark.parametrize(
    "use", [pytest.param(use, marks=needs(use)) for use in ("envoy", "haproxy")]
)
def test_traffic_has_its_policy(run: Run, port: int, use: str) -> None:
    table = sidecar(use, accept=str(port), connect="app.sock", rate=10, deny=["/admin"])
    with run(PRIMARY + table) as group:
        ready(group)
        assert status(port) == 200
        assert status(port, "/admin/users") == 403
        eventually(lambda: status(port) == 429)
        eventually(lambda: status(port) == 200)
        group.kill("primary")
        ready(group)
        eventually(lambda: status(port) == 200)
        assert group.stop() == 0


NGINX = """
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  server { listen 127.0.0.1:@PORT@; location = /figures { stub_status; } }
}
"""


@needs("prometheus-node-exporter")
def test_figures_of_the_machine(run: Run, port: int) -> None:
    figures(run, port, IDLE, sidecar("node-exporter", listen=str(port)), r"node_load1 \d")


@needs("prometheus-process-exporter")
def test_figures_of_processes(run: Run, port: int) -> None:
    table = sidecar("process-exporter", listen=str(port), names=["sleep"])
    figures(run, port, IDLE, table, r'namedprocess_namegroup_num_procs{groupname="sleep"} [1-9]')


@needs("prometheus-redis-exporter", "redis-server")
def test_figures_of_redis(run: Run, port: int) -> None:
    primary = """
    [primary]
    command = ["redis-server", "--port", "0", "--unixsocket", "${sockets}/redis.sock", "--save", ""]
    ready = { unix = "redis.sock" }
    """
    table = sidecar("redis-exporter", connect="redis.sock", listen=str(port))
    figures(run, port, primary, table, "^redis_up 1$")


@needs("prometheus-nginx-exporter", "nginx")
def test_figures_of_nginx(tmp_path: Path, run: Run, port: int) -> None:
    (own,) = free_ports(1)
    (tmp_path / "nginx.conf").write_text(NGINX.replace("@PORT@", str(own)))
    primary = f"""
    [primary]
    command = ["nginx", "-p", "${{volume}}/", "-e", "stderr", "-c", "${{dir}}/nginx.conf"]
    ready = {{ tcp = "127.0.0.1:{own}" }}
    """
    address = f"http://127.0.0.1:{own}/figures"
    table = sidecar("nginx-exporter", status=address, listen=str(port))
    figures(run, port, primary, table, "^nginx_up 1$")


@needs("mtail")
def test_figures_from_lines(tmp_path: Path, run: Run, port: int) -> None:
    (tmp_path / "orders.mtail").write_text("counter orders\n/order/ {\n  orders++\n}\n")
    primary = """
    [primary]
    command = ["sh", "-c", "while :; do echo an order >> ${volume}/app.log; sleep 0.1; done"]
    """
    table = sidecar("mtail", listen=str(port), logs=["${volume}/app.log"], programs="orders.mtail")
    figures(run, port, primary, table, r"^orders{.*} [1-9]")


def figures(run: Run, port: int, primary: str, table: str, wanted: str) -> None:
    with run(primary + table) as group:
        ready(group)
        url = f"http://127.0.0.1:{port}/metrics"
        eventually(lambda: re.search(wanted, get(url), re.MULTILINE))
        assert group.stop() == 0


@contextmanager
def program(*words: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """One that runs beside the group, quietly."""
    env, nowhere = {"PATH": f"{PROGRAMS}:/usr/sbin"}, subprocess.DEVNULL
    process = subprocess.Popen(words, cwd=folder, env=env, stdout=nowhere, stderr=nowhere)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@needs("prometheus")
def test_figures_reach_a_store_that_comes_later(tmp_path: Path, run: Run, port: int) -> None:
    (own,) = free_ports(1)
    (tmp_path / "store.yml").write_text("{}")
    store = ["prometheus", "--config.file=store.yml", "--storage.tsdb.path=store"]
    store += [f"--web.listen-address=127.0.0.1:{own}", "--web.enable-remote-write-receiver"]
    table = sidecar(
        "prometheus-agent",
        listen=str(port),
        targets=[f"127.0.0.1:{port}"],
        remote=f"http://127.0.0.1:{own}/api/v1/write",
        store="${volume}/waiting",
        interval="1s",
    )
    with run(IDLE + table) as group:
        ready(group)
        scraped = "prometheus_target_scrapes_sample_out_of_order_total"
        eventually(lambda: scraped in get(f"http://127.0.0.1:{port}/metrics"))
        with program(*store, folder=tmp_path):
            query = f"http://127.0.0.1:{own}/api/v1/query?query=up"
            eventually(lambda: '"job":"test"' in get(query), within=60)
            assert group.stop() == 0


@needs("syslog-ng")
def test_lines_reach_a_receiver_that_comes_later(tmp_path: Path, run: Run, port: int) -> None:
    primary = """
    [primary]
    command = ["sh", "-c", "i=0; while :; do i=$((i + 1)); echo line $i; sleep 0.05; done"]
    """
    table = sidecar("syslog-ng", receiver=f"127.0.0.1:{port}", buffer="waiting")
    with run(primary + table) as group:
        ready(group)
        group.read_until("line 5$")
        with socket.create_server(("127.0.0.1", port)) as receiver:
            client, _ = receiver.accept()
            with client, client.makefile() as lines:
                assert [lines.readline() for _ in range(3)] == ["line 1\n", "line 2\n", "line 3\n"]
                assert group.stop() == 0


SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "checkout",
    "kind": 2,
    "startTimeUnixNano": "1544712660000000000",
    "endTimeUnixNano": "1544712661000000000",
}


class Collector(BaseHTTPRequestHandler):
    """Takes what comes."""

    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.skipif(find_spec("rotel") is None, reason="needs rotel: pip install rotel")
def test_spans_reach_a_store_that_comes_later(run: Run, port: int) -> None:
    grpc, http = free_ports(2)
    table = sidecar("rotel", store=f"http://127.0.0.1:{port}", http=str(http), grpc=str(grpc))
    with run(IDLE + table) as group:
        ready(group)
        spans = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}
        request = urllib.request.Request(
            f"http://127.0.0.1:{http}/v1/traces",
            json.dumps(spans).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        with HTTPServer(("127.0.0.1", port), Collector) as store:
            store.timeout = 20
            while not Collector.bodies:
                store.handle_request()
        assert b"checkout" in gzip.decompress(Collector.bodies[0])
        assert group.stop() == 0


def told(path: str) -> str:
    """A primary that says what is in this file of its sidecar's, and again when that changes."""
    script = f"trap 'cat {path}' HUP; cat {path}; while :; do sleep 0.05; done"
    return f"""
    [primary]
    command = ["sh", "-c", "{script}"]
    reload = {{ signal = "SIGHUP", on_change = ["{path}"] }}
    """


def commit(repository: Path, said: str) -> None:
    (repository / "config.txt").write_text(f"{said}\n")
    git = ["git", "-c", "user.name=Shop", "-c", "user.email=shop@shop.example"]
    subprocess.run([*git, "add", "."], cwd=repository, check=True)
    subprocess.run([*git, "commit", "-qm", said], cwd=repository, check=True)


@needs("git")
def test_a_commit_changes_what_the_primary_reads(tmp_path: Path, run: Run) -> None:
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-qb", "main", repository], check=True)
    commit(repository, "one")
    table = sidecar("git-sync", repository=str(repository), interval="100ms")
    with run(told("${volume}/side/current/config.txt") + table) as group:
        group.read_all(r"primary +\| one$", "^pairvisor +. group test is ready")
        commit(repository, "two")
        group.read_until(r"primary +\| two$")
        repository.rename(tmp_path / "elsewhere")
        group.read_until(r"side +\| fatal")
        (tmp_path / "elsewhere").rename(repository)
        commit(repository, "three")
        group.read_until(r"primary +\| three$")
        assert group.stop() == 0


@needs("etcd", "etcdctl")
def test_a_key_changes_what_the_primary_reads(tmp_path: Path, run: Run, port: int) -> None:
    (peers,) = free_ports(1)
    here, there = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    etcd = ["etcd", "--data-dir", "etcd", "--listen-client-urls", here, "--listen-peer-urls", there]
    etcd += ["--advertise-client-urls", here, "--initial-advertise-peer-urls", there]
    etcd += ["--initial-cluster", f"default={there}"]

    def put(value: str) -> None:
        command = ["etcdctl", "--endpoints", here, "put", "/shop/config", value]
        env = {"PATH": PROGRAMS, "ETCDCTL_API": "3"}
        subprocess.run(command, env=env, check=True, capture_output=True)

    endpoint = f"127.0.0.1:{port}"
    table = sidecar("etcd-sync", endpoints=[endpoint], key="/shop/config", file="config.txt")
    with run(told("${volume}/side/config.txt") + table) as group:
        with program(*etcd, folder=tmp_path):
            eventually(lambda: '"health":"true"' in get(f"{here}/health"))
            put("one")
            group.read_all(r"primary +\| one$", "^pairvisor +. group test is ready")
            put("two")
            group.read_until(r"primary +\| two$")
        with program(*etcd, folder=tmp_path):
            eventually(lambda: '"health":"true"' in get(f"{here}/health"))
            put("three")
            group.read_until(r"primary +\| three$", within=60)
            assert group.stop() == 0


@needs("lsyncd")
def test_a_folder_changes_what_the_primary_reads(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "shared"
    source.mkdir()
    (source / "config.txt").write_text("one\n")
    table = sidecar("lsyncd", source=str(source))
    with run(told("${volume}/side/config.txt") + table) as group:
        group.read_all(r"primary +\| one$", "^pairvisor +. group test is ready")
        (source / "config.txt").write_text("another\n")
        group.read_until(r"primary +\| another$")
        assert group.stop() == 0
