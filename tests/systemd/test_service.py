"""Groups as services of a real systemd, by the units that ship.

| fault | test |
| --- | --- |
| a member killed below systemd | test_a_restart_of_the_group_is_none_of_the_unit |
| the supervisor killed below systemd | test_a_supervisor_that_was_killed_* |
| the supervisor stopped (T) below systemd | test_a_supervisor_that_hangs_* |
| a broken manifest below systemd | test_a_broken_manifest_* |
| a second start, by another unit or by hand | test_a_group_that_runs_already_* |
"""

import re
import textwrap

import pytest

from tests.support import eventually
from tests.systemd.box import Box, needs_box
from tests.systemd.units import WEB, drop_in, main_pids, processes, said, write

pytestmark = [needs_box, pytest.mark.slow]
SHUT = WEB.replace("${volume}/go; do", "${dir}/go; do")  # till somebody opens it
STUBBORN = """
    [sidecars.stubborn]
    command = ["sh", "-c", "trap : TERM; setsid sleep 1003 & touch ${run}/up; while :; do wait; done"]
    ready = { file = "${run}/up" }
"""  # noqa: E501
SLOW = """
    grace = "20s"
    [primary]
    command = ["sh", "-c", "trap 'sleep 3; exit 0' TERM; touch ${run}/ok; while :; do sleep 0.05; done"]
    ready = { file = "${run}/ok" }
    [sidecars.side]
    command = "sleep 1004"
"""  # noqa: E501
TREE = re.compile(r"[├└]─(tls|opener|primary)\n[│ ]*└─main\n[│ ]*└─\d+ sleep (\d+)")


def test_a_unit_is_active_once_its_group_is_ready(box: Box) -> None:
    units = [write(box, name, SHUT) for name in ("web", "db")]
    box.run(f"systemctl enable --now --no-block {' '.join(units)}")
    waiting = ["activating", "starting: waiting for tls (1 of 3 ready)"]
    for unit in units:
        eventually(lambda unit=unit: box.show(unit, "ActiveState", "StatusText") == waiting)  # type: ignore[misc]
    box.put("/etc/pairvisor/go", "")
    box.run(f"systemctl start {' '.join(units)}")
    for unit in units:
        assert box.show(unit, "ActiveState", "StatusText") == ["active", "running: 3 of 3 ready"]
    shown = box.run(f"systemctl status --no-pager --full --lines=0 {units[0]}")
    assert 'Status: "running: 3 of 3 ready"' in shown
    assert dict(TREE.findall(shown)) == {"tls": "1000", "opener": "1001", "primary": "1002"}
    status = box.run("pairvisor status -g web")
    assert "running, ready" in status
    assert "degraded" not in status
    assert "hello" in box.run("pairvisor logs -g web primary")
    box.run(f"systemctl disable --now {' '.join(units)}")


def test_a_restart_of_the_group_is_none_of_the_unit(box: Box) -> None:
    unit = write(box, "again", WEB)
    box.run(f"systemctl start {unit}")
    before = box.show(unit, "MainPID")
    box.run(f"kill -9 {main_pids(box, 'again')['tls']}")
    box.entries(2, "GROUP=again", "EVENT=group-ready")
    assert box.show(unit, "MainPID") == before
    assert box.show(unit, "ActiveState", "NRestarts") == ["active", "0"]
    box.run(f"systemctl stop {unit}")


def test_a_broken_manifest_fails_the_unit_once(box: Box) -> None:
    unit = write(box, "broken", "[primary]\ncomand = 'true'\n")
    box.fails(f"systemctl start {unit}")
    assert box.show(unit, "ActiveState", "ExecMainStatus", "NRestarts") == ["failed", "78", "0"]
    said = " ".join(line["MESSAGE"] for line in box.journal("-u", unit))
    assert "/etc/pairvisor/broken.toml:2: primary.comand" in said
    unit = "pairvisor@nowhere"
    box.fails(f"systemctl start {unit}")
    assert box.show(unit, "ExecMainStatus", "NRestarts") == ["78", "0"]


def test_a_group_that_runs_already_runs_on(box: Box) -> None:
    """What systemd would do to the folder of a second one, it would do to the first's."""
    unit = write(box, "twin", WEB)
    box.run("pairvisor up -d -f /etc/pairvisor/twin.toml")
    before = main_pids(box, "twin")
    assert "Assertion failed" in box.fails(f"systemctl start {unit}")
    assert main_pids(box, "twin") == before
    box.run(f"pairvisor down -g twin && systemctl start {unit}")
    before = main_pids(box, "twin")
    assert "Assertion failed" in box.fails("systemctl start pairvisor-root@twin")
    box.fails("pairvisor run twin")
    assert main_pids(box, "twin") == before
    box.run(f"systemctl restart {unit} && systemctl stop {unit}")


def test_a_group_that_gives_up_is_not_started_again(box: Box) -> None:
    unit = write(
        box, "over", '[primary]\ncommand = ["sh", "-c", "exit 3"]\non_failure = "teardown"'
    )
    box.run(f"systemctl start --wait {unit}", check=False)
    assert box.show(unit, "ActiveState", "ExecMainStatus", "NRestarts") == ["failed", "3", "0"]


def test_a_group_that_succeeds_leaves_an_inactive_unit(box: Box) -> None:
    unit = write(box, "done", '[primary]\ncommand = "true"')
    box.run(f"systemctl start --wait {unit}")
    assert box.show(unit, "ActiveState", "Result", "NRestarts") == ["inactive", "success", "0"]


def test_a_supervisor_that_was_killed_leaves_nothing_and_is_started_again(box: Box) -> None:
    unit = write(box, "killed", 'grace = "1s"\n' + textwrap.dedent(WEB + STUBBORN))
    drop_in(box, unit, "Restart=no")
    box.run(f"systemctl start {unit}")
    before = processes(box, unit)
    assert len(before) == 6  # the supervisor, four that sleep, and a shell
    box.run(f"systemctl kill --kill-whom=main -s KILL {unit}")
    eventually(lambda: box.show(unit, "ActiveState") == ["failed"])
    assert processes(box, unit) == []
    drop_in(box, unit, "")
    box.run(f"systemctl start {unit}")
    main = box.show(unit, "MainPID")
    box.run(f"systemctl kill --kill-whom=main -s KILL {unit}")
    box.started(unit, 3)
    assert box.show(unit, "ActiveState", "NRestarts") == ["active", "1"]
    assert box.show(unit, "MainPID") != main
    assert "running, ready" in box.run("pairvisor status -g killed")
    assert len(processes(box, unit)) == len(before)
    box.run(f"systemctl stop {unit}")


def test_a_stop_is_in_order_and_has_the_groups_own_time(box: Box) -> None:
    """Longer than the unit's."""
    unit = write(box, "slow", SLOW)
    drop_in(box, unit, "TimeoutStopSec=2s")
    box.run(f"systemctl start {unit}")
    box.run(f"systemctl stop {unit}")
    assert box.show(unit, "ActiveState", "Result") == ["inactive", "success"]
    ended = box.journal("GROUP=slow", "EVENT=member-exited")
    assert [line["MEMBER"] for line in ended] == ["primary", "side"]
    assert (ended[0]["EXIT_CODE"], ended[0]["EXIT_STATUS"]) == ("exited", "0")


def test_a_start_has_the_groups_own_time(box: Box) -> None:
    late = '["sh", "-c", "sleep 4; touch ${run}/ok; exec sleep 1005"]'
    unit = write(box, "late", f"[primary]\ncommand = {late}\nready = {{ file = '${{run}}/ok' }}")
    drop_in(box, unit, "TimeoutStartSec=3s")
    box.run(f"systemctl start {unit}")
    assert box.show(unit, "ActiveState", "NRestarts") == ["active", "0"]
    box.run(f"systemctl stop {unit}")


def test_a_supervisor_that_hangs_is_killed_and_started_again(box: Box) -> None:
    unit = write(box, "stuck", WEB.replace("echo hello", "echo hello; sleep 3; echo still here"))
    drop_in(box, unit, "WatchdogSec=2s")
    box.run(f"systemctl start {unit}")
    before = box.show(unit, "MainPID")
    assert said(box, "stuck", "primary", 2)[1] == "still here"
    assert box.show(unit, "MainPID", "NRestarts") == [*before, "0"]
    box.run(f"systemctl kill --kill-whom=main -s STOP {unit}")
    box.started(unit, 2, within=60)
    assert box.show(unit, "ActiveState", "NRestarts") == ["active", "1"]
    assert box.show(unit, "MainPID") != before
    box.run(f"systemctl stop {unit}")


def test_a_reload_restarts_what_has_changed(box: Box) -> None:
    unit = write(box, "changed", WEB)
    box.run(f"systemctl start {unit}")
    old = main_pids(box, "changed")
    write(box, "changed", WEB.replace("sleep 1002", "sleep 1006"))
    box.run(f"systemctl reload {unit} && pairvisor status -g changed --wait ready")
    new = main_pids(box, "changed")
    assert {name for name in new if new[name] != old[name]} == {"primary"}
    write(box, "changed", "nonsense")
    box.fails(f"systemctl reload {unit}")
    (failed,) = box.entries(1, "GROUP=changed", "EVENT=reload-failed")
    assert "/etc/pairvisor/changed.toml:1: " in failed["MESSAGE"]
    assert box.show(unit, "ActiveState", "StatusText") == ["active", "running: 3 of 3 ready"]
    assert main_pids(box, "changed") == new
    box.run(f"systemctl kill --kill-whom=main -s HUP {unit}")
    box.entries(2, "GROUP=changed", "EVENT=reload-failed")
    write(box, "changed", WEB)
    box.run(f"systemctl kill --kill-whom=main -s HUP {unit}")
    box.entries(2, "GROUP=changed", "EVENT=reloaded")
    newest = main_pids(box, "changed")
    assert {name for name in new if new[name] != newest[name]} <= {"primary"}
    box.run(f"systemctl stop {unit}")


def test_another_version_takes_over_and_the_unit_stays(box: Box) -> None:
    unit = write(box, "renewed", WEB)
    box.run(f"systemctl start {unit}")
    before = (box.show(unit, "MainPID"), main_pids(box, "renewed"))
    assert "has taken over from" in box.run("pairvisor reexec -g renewed")
    box.run(f"systemctl kill --kill-whom=main -s USR2 {unit}")
    box.entries(2, "GROUP=renewed", "EVENT=reexecuted")
    eventually(lambda: box.show(unit, "ActiveState") == ["active"])
    assert (box.show(unit, "MainPID"), main_pids(box, "renewed")) == before
    box.run(f"systemctl stop {unit}")
    assert box.show(unit, "Result") == ["success"]
