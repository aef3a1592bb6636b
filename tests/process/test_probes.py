"""Every kind of probe against real servers, and those that hang, flood, fork and drip.

| fault | test |
| --- | --- |
| probe hangs, floods, leaves a child on its pipe | test_an_exec_probe_*, test_a_hanging_probe_* |
| drips a byte a second, redirects away, never answers | test_an_answer_* |
| a full queue of connections | test_an_answer_* |
| what a failing live probe does | test_a_failing_live_probe_* |
"""

import socket
import sys
from pathlib import Path
from time import monotonic

import pytest

from tests.process.leash import leash
from tests.process.programs import FOLDER
from tests.support import eventually, up

SERVER = f"{FOLDER}/server.py"
LONG = "start_timeout = '2s'"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def probed(command: str, probe: str, more: str = "") -> str:
    return f"""
    start_timeout = "60s"
    [primary]
    command = {command}
    ready = {{ {probe} }}
    on_failure = "teardown"
    {more}
    """


def server(mode: str, where: object) -> str:
    return f'["{sys.executable}", "{SERVER}", "{mode}", "{where}"]'


@pytest.mark.parametrize(
    ("mode", "probe"),
    [
        ("accepts", 'tcp = "127.0.0.1:{port}"'),
        ("200", 'http = "http://127.0.0.1:{port}/healthz"'),
        ("204", 'http = "http://localhost:{port}"'),
        ("302", 'http = "http://127.0.0.1:{port}/"'),
        ("floods", 'tcp = "127.0.0.1:{port}"'),
    ],
)
def test_over_tcp(tmp_path: Path, mode: str, probe: str) -> None:
    port = free_port()
    with up(tmp_path, probed(server(mode, port), probe.format(port=port))) as group:
        group.read_all("up$", "group test is ready")
        assert group.stop() == 0


@pytest.mark.parametrize(
    ("mode", "probe"),
    [("accepts", 'unix = "a.sock"'), ("200", 'http = "unix:a.sock:/healthz"')],
)
def test_over_a_unix_socket(tmp_path: Path, mode: str, probe: str) -> None:
    with up(tmp_path, probed(server(mode, "${sockets}/a.sock"), probe)) as group:
        group.read_all("up$", "group test is ready")
        assert group.stop() == 0


@pytest.mark.parametrize(
    ("mode", "probe"),
    [
        ("500", 'http = "http://127.0.0.1:{port}/"'),
        ("100", 'http = "http://127.0.0.1:{port}/"'),
        ("drips", 'http = "http://127.0.0.1:{port}/"'),
        ("silent", 'http = "http://127.0.0.1:{port}/"'),
        ("floods", 'http = "http://127.0.0.1:{port}/"'),
        ("accepts", 'http = "http://127.0.0.1:{port}/"'),
        ("200", 'grpc = "127.0.0.1:{port}"'),
        ("silent", 'grpc = "127.0.0.1:{port}"'),
        ("floods", 'grpc = "127.0.0.1:{port}"'),
        ("drips", 'grpc = "127.0.0.1:{port}"'),
        ("full", 'unix = "a.sock"'),
        ("full", 'http = "unix:a.sock:/"'),
    ],
)
def test_an_answer_that_is_none_leaves_a_member_not_ready(
    tmp_path: Path, mode: str, probe: str
) -> None:
    port = free_port()
    where = "${sockets}/a.sock" if mode == "full" else port
    probe = probe.format(port=port) + ', interval = "50ms", timeout = "200ms"'
    with up(tmp_path, probed(server(mode, where), probe, 'start_timeout = "1s"')) as group:
        assert group.wait() == 1
        assert "up\n" in group.said
        assert "primary is ready" not in group.said
        assert "internal" not in group.said
        assert "not ready within 1 s" in group.said


@pytest.mark.parametrize("status", ["SERVING", "NOT_SERVING", "none"])
def test_grpc_health_of_a_real_server(tmp_path: Path, status: str) -> None:
    pytest.importorskip("grpc_health", reason="pip install grpcio-health-checking")
    port = free_port()
    command = f'["{sys.executable}", "{FOLDER}/health.py", "{port}", "{status}"]'
    manifest = probed(command, f'grpc = "127.0.0.1:{port}", interval = "50ms"')
    with up(tmp_path, manifest) as group:
        if status == "SERVING":
            group.read_until("group test is ready")
        else:
            group.read_until("up$")
            eventually(lambda: _connections(port) == 0)
            assert "is ready" not in group.said
        assert group.stop() in (0, 137)


def _connections(port: int) -> int:
    """How many established ones there are to the port: none once a probe's has been answered."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[3] == "01" and f":{port:04X} " in line for line in lines)


def test_notify_and_its_watchdog(tmp_path: Path) -> None:
    more = 'live = { notify = true, interval = "100ms", timeout = "1s", failures = 2 }'
    manifest = probed(f'["{FOLDER}/notify.sh", "20"]', "notify = true", more)
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        began = monotonic()
        assert group.wait() == 1
        assert monotonic() - began > 2  # as long as it said so, and two time-outs
        assert "failed its live probe: no answer within 1 s" in group.said


def test_each_run_has_its_own_notify_socket(tmp_path: Path) -> None:
    manifest = f"""
    [primary]
    command = "sleep inf"
    after = []
    [sidecars.side]
    command = ["{FOLDER}/notify.sh", "0"]
    ready = {{ notify = true }}
    on_failure = "restart"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        for _ in range(2):
            group.kill("side")
            group.read_until("side restarts")
            group.read_until("side is ready")
        assert group.stop() == 0


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("listening on port 80", "listening on .* 80$"),
        ("caf\\303\\251 is open", r"caf[\u00e9] is"),
        ("\\033[32mready\\033[0m", "ready"),
    ],
)
def test_a_line_of_output(tmp_path: Path, line: str, pattern: str) -> None:
    command = f"""["sh", "-c", '''echo no; sleep 0.2; printf '{line}\\n' >&2; exec sleep inf''']"""
    with up(tmp_path, probed(command, f"log = '{pattern}'")) as group:
        group.read_until("no$")
        assert "primary is ready" not in group.said
        group.read_until("group test is ready")
        assert group.stop() == 0


@pytest.mark.parametrize(
    "script",
    [
        "exec sleep inf",
        "yes",
        "yes >&2 & sleep inf",
        "sleep 1000 & exit 1",
        "setsid sleep 1000 & exit 1",
        "trap '' TERM; (setsid sh -c 'trap \\\"\\\" TERM; sleep 1000' &) ; sleep inf",
    ],
)
def test_an_exec_probe_that_misbehaves_is_ended_with_its_tree(tmp_path: Path, script: str) -> None:
    with leash(tmp_path) as held:
        probe = f"""
        exec = ["sh", "-c", "exec 9>{held.path}; touch {tmp_path}/ran; {script}"],
        interval = "50ms", timeout = "200ms"
        """
        probe = " ".join(probe.split())
        manifest = probed('"sleep inf"', probe, 'start_timeout = "1s"')
        with up(tmp_path, manifest) as group:
            most = 0

            def over() -> bool:
                nonlocal most
                most = max(most, len(group.processes("primary")))
                return group.popen.poll() is not None

            eventually(over)
            assert group.wait() == 1
            assert (tmp_path / "ran").exists()
            assert most <= 8, "they heap up"
            assert not held.is_held
            assert "primary is ready" not in group.said
            assert "left" not in group.said


def test_an_exec_probe_is_judged_by_its_exit_not_by_its_pipe(tmp_path: Path) -> None:
    probe = 'exec = ["sh", "-c", "sleep 1000 & exit 0"], timeout = "30s"'
    with up(tmp_path, probed('"sleep inf"', probe)) as group:
        group.read_until("group test is ready")
        eventually(lambda: len(group.processes("primary")) == 1)
        assert group.stop() == 0


def test_a_hanging_probe_delays_no_other(tmp_path: Path) -> None:
    port = free_port()
    manifest = f"""
    start_timeout = "60s"
    [sidecars.hangs]
    command = {server("silent", port)}
    ready = {{ http = "http://127.0.0.1:{port}/", timeout = "50s" }}
    [sidecars.also]
    command = "sleep inf"
    ready = {{ exec = ["sleep", "inf"], timeout = "50s" }}
    [primary]
    command = "sleep inf"
    after = []
    ready = {{ exec = ["true"] }}
    live = {{ exec = ["sh", "-c", "echo alive >>{tmp_path}/alive"], interval = "50ms" }}
    """
    with up(tmp_path, manifest) as group:
        group.read_until("primary is ready", within=10)
        alive = tmp_path / "alive"
        eventually(lambda: alive.exists() and len(alive.read_text().splitlines()) > 10)
        began = monotonic()
        assert group.stop() == 0
        assert monotonic() - began < 10
        assert not group.processes()


def test_a_failing_live_probe_ends_its_member(tmp_path: Path) -> None:
    manifest = """
    [sidecars.side]
    command = "sleep inf"
    live = { exec = ["sh", "-c", "echo broken pipe; exit 3"], interval = "50ms", failures = 2 }
    on_failure = "restart"
    [primary]
    command = "sleep inf"
    after = []
    """
    with up(tmp_path, manifest) as group:
        line = group.read_until("side failed its live probe.*")[0]
        assert "exited with 3: broken pipe" in line
        group.read_until("side restarts")
        assert group.stop() == 0


def test_probes_of_a_member_that_ends_are_over(tmp_path: Path) -> None:
    """The probe of the first run is not there any more when the second one is."""
    with leash(tmp_path) as held:
        manifest = f"""
        start_timeout = "60s"
        [sidecars.side]
        command = ["sh", "-c", "echo up; exec sleep inf"]
        ready = {{ exec = ["sh", "-c", "exec 9>{held.path}; exec sleep inf"], timeout = "60s" }}
        on_failure = "teardown"
        [primary]
        command = ["sh", "-c", "trap '' TERM; exec sleep inf"]
        stop = {{ grace = "3s" }}
        after = []
        """
        with up(tmp_path, manifest) as group:
            group.read_until("up$")
            eventually(lambda: held.is_held)
            group.kill("side")
            group.read_until("is stopped: side was killed")
            held.let_go(within=2.5)
            assert group.wait() == 137
