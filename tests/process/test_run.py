"""`pairvisor run` as a service: what its manager is told, and what becomes of its signals.

The manager here is a socket: `tests/systemd` has the real one.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pairvisor.runtime import kernel
from tests.process.test_control import ask, events
from tests.support import WITHIN, Up, eventually, gone, up

RUN = ("run",)
# The main process of a service, as systemd.exec(5) lets it know that it is.
AS_SERVICE = ("sh", "-c", 'SYSTEMD_EXEC_PID=$$ WATCHDOG_PID=$$ exec "$@"', "sh")
SHOP = """
    grace = "3s"
    [restart]
    initial = "1ms"
    [sidecars.tls]
    command = ["sh", "-c", "until test -e ${dir}/go; do sleep 0.01; done; touch ${run}/ok; exec sleep 1000"]
    ready = { file = "${run}/ok" }
    [primary]
    command = "sleep 1000"
"""  # noqa: E501


class Manager:
    """A service manager's end of $NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.told: list[str] = []

    def hear(self, line: str, within: float = WITHIN) -> list[str]:
        """Read on until this is told; all lines till then, and what was told with it."""
        before = len(self.told)
        while line not in self.told[before:]:
            self._socket.settimeout(within)
            self.told += self._socket.recv(1 << 16).decode().splitlines()
        return self.told[before:]

    def hears_nothing_for(self, seconds: float) -> bool:
        return not select.select([self._socket], [], [], seconds)[0]

    def forget(self) -> None:
        """What has been told, but not read."""
        while not self.hears_nothing_for(0):
            self._socket.recv(1 << 16)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify"))
    yield made
    made.close()


@contextmanager
def service(folder: Path, manifest: str = SHOP, *, address: str = "", **env: str) -> Iterator[Up]:
    """A group run as systemd would, with a `manager` in the folder."""
    wrapper = ("env", f"NOTIFY_SOCKET={address or folder / 'notify'}", *AS_SERVICE)
    with up(folder, manifest, *wrapper, words=RUN, how=None, **env) as group:
        yield group


def test_it_is_ready_once_the_group_is(tmp_path: Path, manager: Manager) -> None:
    with service(tmp_path) as group:
        before = manager.hear("STATUS=starting: waiting for tls (0 of 2 ready)")
        assert "READY=1" not in before
        assert "EXTEND_TIMEOUT_USEC=310000000" in before
        (tmp_path / "go").touch()
        manager.hear("READY=1")
        assert "STATUS=running: 2 of 2 ready" in manager.told
        group.signal(signal.SIGTERM)
        stopping = manager.hear("STATUS=stopped, as asked")
        assert {"STOPPING=1", "EXTEND_TIMEOUT_USEC=13000000"} <= set(stopping)
        assert group.wait() == 0


def test_a_restart_of_the_group_is_its_own_affair(tmp_path: Path, manager: Manager) -> None:
    (tmp_path / "go").touch()
    with service(tmp_path) as group:
        manager.hear("STATUS=running: 2 of 2 ready")
        told = len(manager.told)
        eventually(lambda: group.processes("tls"))  # not in the middle of an exec
        os.kill(group.processes("tls")[0], signal.SIGKILL)
        manager.hear("STATUS=running: 2 of 2 ready")
        words = [line for line in manager.told[told:] if not line.startswith("STATUS=")]
        assert words == []
        assert "STATUS=restarting: tls was killed by SIGKILL" in manager.told[told:]
        assert group.stop() == 0


def test_a_group_that_succeeds_at_once_has_started(tmp_path: Path, manager: Manager) -> None:
    """Else systemd takes its end for a breach of the protocol."""
    with service(tmp_path, '[primary]\n    command = "true"\n    ready = { file = "x" }') as group:
        before = manager.hear("STOPPING=1")
        assert "READY=1" in before
        assert group.wait() == 0


def test_there_is_no_guard_where_the_manager_is_one(tmp_path: Path, manager: Manager) -> None:
    (tmp_path / "go").touch()
    with service(tmp_path) as group:
        manager.hear("READY=1")
        children = set(kernel.children_of(group.popen.pid))
        eventually(lambda: children == set(group.processes()))
        assert group.stop() == 0


def test_elsewhere_there_is_a_guard(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with up(tmp_path, SHOP, words=RUN) as group:
        group.read_until("group test is ready")
        pids = group.processes()
        os.kill(group.supervisor, signal.SIGKILL)
        assert group.wait() == 128 + signal.SIGKILL
        for pid in pids:
            gone(pid)


def test_the_loop_shows_that_it_lives(tmp_path: Path, manager: Manager) -> None:
    (tmp_path / "go").touch()
    with service(tmp_path, WATCHDOG_USEC="200000") as group:
        manager.hear("READY=1")
        manager.hear("WATCHDOG=1")
        manager.hear("WATCHDOG=1")
        group.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, group.popen.pid, os.WSTOPPED | os.WNOWAIT)
        manager.forget()
        assert manager.hears_nothing_for(1.0)
        group.signal(signal.SIGCONT)
        manager.hear("WATCHDOG=1")
        assert group.stop() == 0


def test_no_sign_of_life_is_given_where_none_is_wanted(tmp_path: Path, manager: Manager) -> None:
    (tmp_path / "go").touch()
    with service(tmp_path) as group:
        manager.hear("READY=1")
        assert manager.hears_nothing_for(1.0)
        assert group.stop() == 0


def test_sighup_reloads_the_manifest(tmp_path: Path, manager: Manager) -> None:
    (tmp_path / "go").touch()
    with service(tmp_path) as group:
        manager.hear("STATUS=running: 2 of 2 ready")
        eventually(lambda: group.processes("primary"))  # not in the middle of an exec
        kept = group.processes("primary")
        told = len(manager.told)
        group.manifest.write_text(group.manifest.read_text().replace("exec sleep", "exec  sleep"))
        group.signal(signal.SIGHUP)
        manager.hear("RELOADING=1")
        manager.hear("READY=1")
        assert any(line.startswith("MONOTONIC_USEC=") for line in manager.told[told:])
        group.read_until("reloaded: tls restarts")
        manager.hear("STATUS=running: 2 of 2 ready")
        assert group.processes("primary") == kept
        group.manifest.write_text("nonsense")
        group.signal(signal.SIGHUP)
        manager.hear("RELOADING=1")
        manager.hear("READY=1")
        group.read_until("the manifest is wrong: all runs on as it was")
        assert events(group, "reload-failed")
        assert group.stop() == 0


def test_a_reload_before_it_is_ready_is_no_readiness(tmp_path: Path, manager: Manager) -> None:
    with service(tmp_path) as group:
        manager.hear("STATUS=starting: waiting for tls (0 of 2 ready)")
        group.signal(signal.SIGHUP)
        group.read_until("reloaded: nothing has changed")
        (tmp_path / "go").touch()
        assert "RELOADING=1" not in manager.hear("READY=1")
        assert group.stop() == 0


def test_members_hear_nothing_of_the_manager(tmp_path: Path, manager: Manager) -> None:
    (tmp_path / "go").touch()
    told = {"WATCHDOG_USEC": "60000000", "INVOCATION_ID": "x", "LISTEN_FDS": "1"}
    with service(tmp_path, **told) as group:
        manager.hear("READY=1")
        for pid in group.processes():
            env = Path(f"/proc/{pid}/environ").read_bytes()
            for name in [*told, "NOTIFY_SOCKET", "WATCHDOG_PID", "SYSTEMD_EXEC_PID"]:
                assert name.encode() + b"=" not in env
        assert group.stop() == 0


def test_nobody_waits_for_a_manager_that_does_not_read(tmp_path: Path, manager: Manager) -> None:
    (tmp_path / "go").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                flood.sendto(b"STATUS=flood", str(tmp_path / "notify"))
    with service(tmp_path) as group:
        group.read_until("group test is ready")
        assert ask(group, "/v1/status")[0] == 200
        manager.hear("READY=1")
        assert "STATUS=running: 2 of 2 ready" in manager.told
        assert group.stop() == 0


def test_a_manager_in_the_abstract_namespace(tmp_path: Path) -> None:
    name = f"pairvisor-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    (tmp_path / "go").touch()
    try:
        with service(tmp_path, address=f"@{name}") as group:
            manager.hear("READY=1")
            assert group.stop() == 0
    finally:
        manager.close()


@pytest.mark.parametrize("address", ["vsock:2:3", "nonsense", "/nobody/listens", "@"])
def test_a_manager_that_is_not_there_is_none(tmp_path: Path, address: str) -> None:
    (tmp_path / "go").touch()
    with service(tmp_path, address=address) as group:
        group.read_until("group test is ready")
        assert group.stop() == 0


def test_what_it_writes_is_plain(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with up(tmp_path, SHOP, words=RUN, TERM="xterm", NO_COLOR="") as group:
        group.read_until("^pairvisor | group test is ready")
        assert group.stop() == 0
        assert "\x1b" not in group.said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("nobody", "/etc/pairvisor/nobody.toml: no such file (a manifest elsewhere: ./nobody)"),
        ("shop@1", "/etc/pairvisor/shop@1.toml: no such file (a manifest elsewhere: ./shop@1)"),
        ("./nobody", "./nobody: no such file"),
    ],
)
def test_a_manifest_that_is_not_there(tmp_path: Path, written: str, said: str) -> None:
    command = [sys.executable, "-m", "pairvisor", "run", written]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 78
    assert said in ran.stderr
