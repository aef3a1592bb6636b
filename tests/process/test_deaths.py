"""The supervisor dies, or the guard does: nothing outlives them, and the next start is right.

| fault | test |
| --- | --- |
| supervisor SIGKILLed, at any moment | test_nothing_outlives_a_supervisor_* |
| a start while the guard still kills | test_a_start_while_the_guard_still_kills_is_refused |
| guard SIGKILLed | test_without_its_guard_a_group_is_torn_down_in_order |
| the guard stopped, the supervisor killed | test_a_start_while_the_guard_* |
| supervisor stopped, then continued | test_a_supervisor_that_was_stopped_* |
| fork bomb when the supervisor dies | test_the_guard_outruns_a_bomb |
"""

import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.leash import Leash, leash
from tests.process.programs import FOLDER, STUBBORN, TOLD
from tests.support import Up, eventually, gone, up

REPEAT = int(os.environ.get("PAIRVISOR_TEST_REPEAT", "2"))
MOMENTS = (
    "",
    "group test starts",
    "side is ready",
    "up$",
    "group test is ready",
    "looper restarts in",
    "is restarted: primary",
    r"again \(restart 1\)",
    "is stopped, as asked",
    "did not end in time",
)


def busy_group(held: Leash) -> str:
    """One that starts, restarts, backs off and stops slowly, with stubborn members."""
    return f"""
    grace = "600ms"
    restart = {{ initial = "50ms" }}
    [init.prepare]
    command = "true"
    [sidecars.side]
    command = ["{STUBBORN}", "{held.path}"]
    stop = {{ grace = "300ms" }}
    [sidecars.looper]
    command = "false"
    on_failure = "restart"
    [primary]
    command = ["{STUBBORN}", "{held.path}"]
    """


def pause(seconds: float) -> None:
    """Let that much of a life pass: the moment itself is what such a test is about."""
    select.select([], [], [], seconds)


def reach(group: Up, moment: str) -> None:
    if moment.startswith(("is stopped", "did not")):
        group.read_until("group test is ready")
        group.signal(signal.SIGTERM)
    if moment.startswith(("is restarted", "again")):
        group.read_until("group test is ready")
        group.kill("primary")
    if moment:
        group.read_until(moment)
    pause(random.uniform(0, 0.05))


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path, moment: str) -> None:
    with leash(tmp_path) as held:
        for _ in range(REPEAT):
            with up(tmp_path, busy_group(held)) as group:
                reach(group, moment)
                children = Path(f"/proc/{group.guard}/task/{group.guard}/children").read_text()
                if not children:
                    continue  # so early that there is no supervisor yet
                os.kill(int(children.split()[0]), signal.SIGKILL)
                gone(group.guard, within=10)
                assert not held.is_held
                # Where it had been quicker, it was over, and not killed.
                assert group.wait() == 137 or "stopped, as asked, after" in group.said
        with up(tmp_path, busy_group(held)) as group:
            group.read_until("group test is ready")


def test_a_supervisor_that_is_killed_by_a_signal_without_a_name(tmp_path: Path) -> None:
    """Python names only the first and the last of the real-time signals."""
    with leash(tmp_path) as held, up(tmp_path, busy_group(held)) as group:
        group.read_until("group test is ready")
        os.kill(group.supervisor, signal.SIGRTMIN + 1)
        gone(group.guard, within=10)
        assert not held.is_held
        assert group.wait() == 128 + signal.SIGRTMIN + 1
        assert f"killed by signal {signal.SIGRTMIN + 1}; what is left" in group.said


def test_a_start_while_the_guard_still_kills_is_refused(tmp_path: Path) -> None:
    """A stopped guard is a slow one: as long as members may live, the lock is held."""
    with leash(tmp_path) as held, up(tmp_path, busy_group(held)) as group:
        group.read_until("group test is ready")
        os.kill(group.guard, signal.SIGSTOP)
        supervisor = group.supervisor
        os.kill(supervisor, signal.SIGKILL)
        gone(supervisor)
        words = [sys.executable, "-m", "pairvisor", "up", "-f", group.manifest.name]
        second = subprocess.run(
            words, cwd=tmp_path, env=group.env, capture_output=True, text=True, check=False
        )
        assert second.returncode == 75, second
        assert held.is_held
        os.kill(group.guard, signal.SIGCONT)
        gone(group.guard, within=10)
        assert not held.is_held
        with up(tmp_path, busy_group(held)) as third:
            third.read_until("group test is ready")


def test_without_its_guard_a_group_is_torn_down_in_order(tmp_path: Path) -> None:
    record = tmp_path / "record"
    manifest = f"""
    [sidecars.side]
    command = ["{TOLD}", "side", "{record}"]
    [primary]
    command = ["{TOLD}", "primary", "{record}"]
    [sidecars.front]
    command = ["{TOLD}", "front", "{record}"]
    after = ["primary"]
    """
    with up(tmp_path, manifest) as group:
        group.read_all("side .* up$", "primary .* up$", "front .* up$", "group test is ready")
        supervisor = group.supervisor
        group.signal(signal.SIGKILL)
        gone(supervisor)
        assert record.read_text().splitlines() == ["front told", "primary told", "side told"]
        assert not group.processes()


def test_a_supervisor_that_was_stopped_does_not_blame_its_members(tmp_path: Path) -> None:
    """Nobody has missed a deadline that passed while nobody looked: not a start, not a probe."""
    under_way = tmp_path / "under-way"
    manifest = f"""
    [sidecars.late]
    command = ["sh", "-c", "sleep 2; touch $PAIRVISOR_VOLUME/late; exec sleep inf"]
    ready = {{ file = "late", interval = "100ms", timeout = "100ms" }}
    start_timeout = "2500ms"
    after = []
    [primary]
    command = "sleep inf"
    after = []
    live = {{ exec = ["sh", "-c", "touch {under_way}; sleep 0.3"], timeout = "0.5", failures = 1 }}
    """
    with up(tmp_path, manifest) as group:
        group.read_all("primary is ready")
        supervisor = group.supervisor
        eventually(under_way.exists)
        os.kill(supervisor, signal.SIGSTOP)
        pause(3.5)
        os.kill(supervisor, signal.SIGCONT)
        group.read_all("group test is ready")
        pause(1)
        assert group.stop() == 0
        assert "not ready" not in group.said
        assert "restart" not in group.said
        assert "failed" not in group.said


def test_the_guard_outruns_a_bomb(tmp_path: Path) -> None:
    """It doubles and respawns for two seconds, and each process has a session of its own."""
    with leash(tmp_path) as held:
        manifest = f"""
        [primary]
        command = ["{sys.executable}", "{FOLDER}/bomb.py", "{held.path}", "300", "2"]
        """
        with up(tmp_path, manifest) as group:
            group.read_until("boom$")
            pause(0.3)
            os.kill(group.supervisor, signal.SIGKILL)
            gone(group.guard, within=20)
            assert not held.is_held
