"""The control socket of a real group, and clients that mean it no good."""

import json
import os
import resource
import shutil
import socket
import subprocess
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import WITHIN, Up, eventually, up

SLEEPERS = """
    [primary]
    command = ["sleep", "1000"]

    [sidecars.tls]
    command = ["sleep", "1000"]
"""
LOUD = """
    [primary]
    command = ["yes", "the same line again and again, as fast as anybody can take it"]
"""
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is missing")


def connect(group: Up) -> socket.socket:
    path = str(group.run / "control.sock")
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(path)
    except OSError:
        client.close()
        raise
    client.settimeout(WITHIN)
    return client


def listens(group: Up) -> bool:
    """A socket is there before anybody listens on it."""
    with suppress(OSError, StopIteration), connect(group):
        return True
    return False


def ask(group: Up, route: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """The status and the JSON of the answer."""
    data = b"" if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    with connect(group) as client:
        head = f"{method} {route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        client.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        answer = b""
        while piece := client.recv(1 << 16):
            answer += piece
    first, _, rest = answer.partition(b"\r\n\r\n")
    is_json = b"application/json" in first and b"chunked" not in first
    return int(first.split()[1]), json.loads(rest) if is_json else rest


def events(group: Up, kind: str) -> list[Any]:
    return [event for event in ask(group, "/v1/events")[1] if event["kind"] == kind]


def slowest_status(group: Up, times: int) -> float:
    """Seconds. The first one imports what speaks HTTP."""
    ask(group, "/v1/status")
    took = []
    for _ in range(times):
        began = time.monotonic()
        assert ask(group, "/v1/status")[0] == 200
        took.append(time.monotonic() - began)
    return max(took)


@pytest.fixture
def sleepers(tmp_path: Path) -> Iterator[Up]:
    with up(tmp_path, SLEEPERS) as group:
        group.read_until("group test is ready")
        yield group


def test_the_socket_is_the_owners_alone(sleepers: Up) -> None:
    assert (sleepers.run / "control.sock").stat().st_mode & 0o777 == 0o600
    assert sleepers.run.stat().st_mode & 0o007 == 0


def test_what_a_member_is_asked_for_while_its_group_waits_is_refused(tmp_path: Path) -> None:
    """It would not be done: what starts next is the group. That can be had at once."""
    manifest = """
        restart = { initial = "1m", jitter = 0.0 }
        [primary]
        command = "false"
        [sidecars.tls]
        command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test starts again in")
        assert ask(group, "/v1/status")[1]["state"] == "backoff"
        for verb in ("start", "stop", "restart"):
            status, answer = ask(group, f"/v1/{verb}", {"members": ["tls"]})
            assert status == 409
            assert "start that names none" in answer["error"]
        assert not events(group, "requested")
        for verb in ("start", "restart"):
            rounds = len(events(group, "group-started"))
            assert ask(group, f"/v1/{verb}", {})[0] == 200
            eventually(lambda n=rounds: len(events(group, "group-started")) > n)  # type: ignore[misc]
            eventually(lambda: ask(group, "/v1/status")[1]["state"] == "backoff")
        assert ask(group, "/v1/stop", {})[0] == 200
        assert group.wait() == 0


def test_a_thousand_that_hang_keep_nobody_out(sleepers: Up) -> None:
    with hanging(sleepers, 1000):
        assert slowest_status(sleepers, 20) < 1.0
        sleepers.kill("tls")
        sleepers.read_until("tls was killed by SIGKILL")
        sleepers.read_until("group test is ready")


@contextmanager
def hanging(group: Up, count: int) -> Iterator[None]:
    """So many clients that have begun to ask, and never finish."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, count + 200), hard), hard))
    try:
        with ExitStack() as open_:
            for _ in range(count):
                client = open_.enter_context(connect(group))
                with suppress(OSError):  # had to make room already
                    client.send(b"GET /v1/status HT")
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_few_descriptors_are_enough_for_a_thousand_clients(tmp_path: Path) -> None:
    with up(tmp_path, SLEEPERS, "prlimit", "--nofile=64:64") as group:
        group.read_until("group test is ready")
        with hanging(group, 1000):
            group.kill("tls")
            group.read_until("group test is ready")
            assert ask(group, "/v1/status")[1]["restarts"] == 1
        assert group.stop() == 0


def test_it_answers_while_a_member_prints_as_fast_as_it_can(tmp_path: Path) -> None:
    nowhere = open(os.devnull, "wb")  # noqa: SIM115 - closed below
    with nowhere, up(tmp_path, LOUD, how={"stdout": nowhere}) as group:
        eventually(lambda: listens(group))
        assert slowest_status(group, 20) < 1.0
        before = ask(group, "/v1/status")[1]["members"][0]["log_bytes"]
        eventually(lambda: ask(group, "/v1/status")[1]["members"][0]["log_bytes"] > before)


def test_it_answers_while_nobody_reads_what_the_group_says(tmp_path: Path) -> None:
    with up(tmp_path, LOUD) as group:
        eventually(lambda: listens(group))
        assert slowest_status(group, 20) < 1.0


@needs_root
@needs_setpriv
def test_another_user_is_refused_with_a_line_in_the_events(sleepers: Up) -> None:
    # Somebody opened what was closed to him: the kernel's word on who he is remains.
    for folder in (sleepers.run, *list(sleepers.run.parents)[:-1]):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o005)
    (sleepers.run / "control.sock").chmod(0o666)
    for _ in range(5):
        answer = as_user(NOBODY, NOBODY, sleepers, "/v1/status")
        assert "uid 65534 may not speak to this group" in answer
    refused = events(sleepers, "refused")
    assert len(refused) == 1, "one who tries again and again fills no log"
    assert refused[0]["by"]["uid"] == NOBODY


def as_user(uid: int, gid: int, group: Up, route: str, *more: str) -> str:
    command = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "curl", "-s"]
    path = str(group.run / "control.sock")
    asked = [*command, "--unix-socket", path, *more, f"http://localhost{route}"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout


@needs_root
@needs_setpriv
@pytest.mark.parametrize(("access", "may_stop"), [("read", False), ("full", True)])
def test_a_control_group_may_do_what_the_manifest_grants_it(
    tmp_path: Path, access: str, may_stop: bool
) -> None:
    granted = f'control_group = {{ name = "daemon", access = "{access}" }}\n'
    gid = 1  # daemon
    with up(tmp_path, granted + textwrap.dedent(SLEEPERS)) as group:
        group.read_until("group test is ready")
        for folder in list(group.run.parents)[:-1]:
            if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o001)
        assert '"state":"running"' in as_user(NOBODY, gid, group, "/v1/status")
        answer = as_user(NOBODY, gid, group, "/v1/restart", "-d", '{"members": ["tls"]}')
        assert ("may only look" in answer) is not may_stop
        assert as_user(NOBODY, NOBODY, group, "/v1/status") == ""


def test_the_metrics_have_a_door_of_their_own_where_the_manifest_says_so(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def curl(path: str) -> str:
        command = ["curl", "-s", "-i", f"http://127.0.0.1:{port}{path}"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    with up(tmp_path, f'metrics = "127.0.0.1:{port}"\n' + textwrap.dedent(SLEEPERS)) as group:
        group.read_until("group test is ready")
        eventually(lambda: 'pairvisor_group_ready{group="test"} 1.0' in curl("/metrics"))
        for path in ("/", "/v1/status", "/v1/stop"):
            assert curl(path).startswith("HTTP/1.1 404")
        assert group.stop() == 0
