"""The end of members and of the group: all of the tree, in order, inside one grace.

| fault | test |
| --- | --- |
| double fork, setsid, TERM ignored | test_a_stubborn_tree_is_gone_after_the_stop |
| a main process that leaves a daemon | test_a_daemon_that_a_member_leaves_is_killed_and_said |
| workers that end with their master | test_workers_that_end_with_their_master_* |
| a stopped (T) child at stop | test_a_stopped_member_needs_no_grace |
| killed when the grace says | test_who_ignores_* |
| stop.signal | test_another_stop_signal |
| a respawn between TERM and KILL | test_nothing_is_started_between_term_and_kill |
| a stop during a backoff | test_a_stop_ends_a_backoff_at_once |
| fork bomb during stop | test_a_bomb_is_gone_after_the_stop |
| kill races with exit: ESRCH; a stranger's user: EPERM | test_a_signal_that_cannot_be_sent |
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from time import monotonic

import pytest

from tests.process.leash import leash
from tests.process.programs import FOLDER, STUBBORN
from tests.support import eventually, kill_left, up


def test_a_stubborn_tree_is_gone_after_the_stop(tmp_path: Path) -> None:
    with leash(tmp_path) as held:
        manifest = f"""
        grace = "300ms"
        [sidecars.side]
        command = ["{STUBBORN}", "{held.path}"]
        [primary]
        command = "sleep inf"
        """
        with up(tmp_path, manifest) as group:
            group.read_until("up$")
            assert group.stop() == 0
            assert "side did not end in time and is killed" in group.said
            assert not held.is_held


def test_a_daemon_that_a_member_leaves_is_killed_and_said(tmp_path: Path) -> None:
    with leash(tmp_path) as held:
        manifest = f"""
        [primary]
        command = ["sh", "-c", "exec 9>{held.path}; trap '' TERM; (setsid sleep inf &)"]
        """
        with up(tmp_path, manifest) as group:
            assert group.wait() == 0
            assert "primary left 1 process behind, killed" in group.said
            assert not held.is_held


def test_workers_that_end_with_their_master_are_not_left_behind(tmp_path: Path) -> None:
    """They are zombies of ours when their master is seen to be over."""
    (tmp_path / "master.py").write_text(
        "import os, signal\n"
        "def die(*_): os.killpg(0, signal.SIGKILL)\n"
        "for _ in range(20):\n"
        "    if not os.fork(): signal.pause()\n"
        "signal.signal(signal.SIGTERM, die)\n"
        "os.write(1, b'up\\n')\n"
        "signal.pause()\n"
    )
    manifest = f"""
    restart = {{ initial = "10ms", factor = 1.0 }}
    [sidecars.master]
    command = ["{sys.executable}", "{tmp_path}/master.py"]
    on_failure = "restart"
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        for _ in range(5):
            group.read_until("up$")
            os.kill(group.supervisor, signal.SIGSTOP)  # so that all are seen at once
            master = [p for p in group.processes("master") if os.getsid(p) == p]
            os.kill(master[0], signal.SIGTERM)
            eventually(lambda: not group.processes("master"))
            os.kill(group.supervisor, signal.SIGCONT)
            group.read_until("master restarts")
        assert group.stop() == 0
        assert "left" not in group.said


def test_a_stopped_member_needs_no_grace(tmp_path: Path) -> None:
    manifest = """
    grace = "60s"
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        os.kill(group.main("primary"), signal.SIGSTOP)
        assert group.stop() == 0


@pytest.mark.parametrize(
    ("member", "status", "result"),
    [("primary", 137, "failed: primary had to be killed"), ("side", 0, "stopped, as asked")],
)
def test_who_ignores_the_stop_signal_is_killed_after_the_grace(
    tmp_path: Path, member: str, status: int, result: str
) -> None:
    deaf = """["sh", "-c", "trap '' TERM; echo deaf; exec sleep inf"]"""
    manifest = f"""
    grace = "10s"
    [primary]
    command = {deaf if member == "primary" else '"sleep inf"'}
    stop = {{ grace = "500ms" }}
    [sidecars.side]
    command = {deaf if member == "side" else '"sleep inf"'}
    stop = {{ grace = "500ms" }}
    """
    with up(tmp_path, manifest) as group:
        group.read_all("deaf$", "group test is ready")
        began = monotonic()
        assert group.stop() == status
        assert 0.5 <= monotonic() - began < 8
        assert f"{member} did not end in time and is killed" in group.said
        assert result in group.said.splitlines()[-1]


def test_another_stop_signal(tmp_path: Path) -> None:
    manifest = """
    [primary]
    command = ["sh", "-c", '''
        trap 'echo told; exit 0' USR1; trap '' TERM; echo up; while :; do sleep 0.02; done''']
    stop = { signal = "SIGUSR1" }
    """
    with up(tmp_path, manifest) as group:
        group.read_until("up$")
        assert group.stop() == 0
        assert "told\n" in group.said


def test_nothing_is_started_between_term_and_kill(tmp_path: Path) -> None:
    """An always-restarting sidecar ends while another one takes its time to stop."""
    manifest = """
    grace = "1s"
    [sidecars.slow]
    command = ["sh", "-c", "trap 'echo told' TERM; echo up; while :; do sleep 0.05; done"]
    [sidecars.always]
    command = "sleep inf"
    on_failure = "restart"
    on_success = "restart"
    [primary]
    command = "sleep inf"
    after = ["always"]
    """
    with up(tmp_path, manifest) as group:
        group.read_all("up$", "group test is ready")
        main = group.main("always")
        group.signal(signal.SIGTERM)
        group.read_until("told$")
        kill_left([main])
        assert group.wait() == 0
        assert "restart" not in group.said


def test_a_stop_ends_a_backoff_at_once(tmp_path: Path) -> None:
    manifest = """
    restart = { initial = "60s" }
    [sidecars.side]
    command = "false"
    on_failure = "restart"
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("side restarts in")
        began = monotonic()
        assert group.stop() == 0
        assert monotonic() - began < 5


def test_a_stop_ends_the_groups_backoff_at_once(tmp_path: Path) -> None:
    manifest = """
    restart = { initial = "60s" }
    [primary]
    command = "false"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test starts again in")
        began = monotonic()
        assert group.stop() == 0
        assert monotonic() - began < 5


def test_a_bomb_is_gone_after_the_stop(tmp_path: Path) -> None:
    """The primary's, while a sidecar lives: nothing of it is taken for the sidecar's."""
    with leash(tmp_path) as held:
        manifest = f"""
        [sidecars.side]
        command = "sleep inf"
        [primary]
        command = ["{sys.executable}", "{FOLDER}/bomb.py", "{held.path}", "300", "2"]
        stop = {{ grace = "200ms" }}
        """
        with up(tmp_path, manifest) as group:
            group.read_until("boom$")
            assert group.stop() == 137
            assert not held.is_held


@pytest.mark.parametrize("fault", ["ESRCH", "EPERM"])
def test_a_signal_that_cannot_be_sent(tmp_path: Path, fault: str) -> None:
    """The first one fails: whoever is gone needs none, whoever is not is killed in the end."""
    strace = shutil.which("strace")
    if strace is None or os.geteuid():
        pytest.skip("needs root and strace: apt-get install strace")
    manifest = """
    [primary]
    command = "sleep inf"
    stop = { grace = "500ms" }
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        inject = f"inject=pidfd_send_signal:error={fault}:when=1..2"
        words = [strace, "-p", str(group.supervisor), "-o", "/dev/null", "-e", inject]
        with Popen(words, stderr=PIPE) as tracer:
            assert tracer.stderr is not None
            assert b"attached" in tracer.stderr.readline()
            assert group.stop() == 137
        assert "primary did not end in time and is killed" in group.said
        assert "internal" not in group.said
