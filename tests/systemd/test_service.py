"""Groups as services of a real systemd, by the units that ship.

| fault | test |
| --- | --- |
| a member killed below systemd | test_a_restart_of_the_group_is_none_of_the_unit |
| the supervisor killed below systemd | test_a_supervisor_that_was_killed_* |
| the supervisor stopped (T) below systemd | test_a_supervisor_that_hangs_* |
| a broken manifest below systemd | test_a_broken_manifest_* |
| the machine starts again | test_what_is_enabled_comes_up_* |
"""

import json
import textwrap
from collections.abc import Iterator

import pytest

from tests.support import eventually
from tests.systemd.box import Box, boxed, needs_box

pytestmark = [needs_box, pytest.mark.slow]

WEB = """
    [sidecars.tls]
    command = ["sh", "-c", "until test -e ${volume}/go; do sleep 0.01; done; touch ${run}/ok; exec sleep 1000"]
    ready = { file = "${run}/ok" }
    [sidecars.opener]
    command = ["sh", "-c", "touch ${volume}/go; exec sleep 1001"]
    [primary]
    command = ["sh", "-c", "echo hello; exec sleep 1002"]
"""  # noqa: E501


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with boxed(tmp_path_factory.mktemp("box")) as made:
        yield made


def write(box: Box, name: str, manifest: str) -> str:
    """The manifest of a group; its unit's name."""
    box.put(f"/etc/pairvisor/{name}.toml", textwrap.dedent(manifest))
    return f"pairvisor@{name}"


def drop_in(box: Box, unit: str, text: str) -> None:
    box.put(f"/etc/systemd/system/{unit}.service.d/test.conf", f"[Service]\n{text}\n")
    box.run("systemctl daemon-reload")


def main_pid(box: Box, name: str, member: str) -> int:
    members = json.loads(box.run(f"pairvisor status --json -g {name}"))["members"]
    return next(int(m["pid"]) for m in members if m["name"] == member)


def cgroup_is_empty(box: Box, unit: str) -> bool:
    return not box.run(
        f"find /sys/fs/cgroup -path '*{unit}.service*' -name cgroup.procs -exec cat {{}} +"
    ).strip()


def test_a_unit_is_active_once_its_group_is_ready(box: Box) -> None:
    unit = write(box, "web", WEB)
    box.run(f"systemctl start {unit}")
    assert box.show(unit, "ActiveState", "StatusText", "User") == [
        "active",
        "running: 3 of 3 ready",
        "pairvisor",
    ]
    shown = box.run(f"systemctl status --no-pager --full {unit}")
    for name in ("primary", "tls", "opener", "sleep 1002"):
        assert name in shown
    assert "running, ready" in box.run("pairvisor status -g web")
    assert "hello" in box.run("pairvisor logs -g web primary")


def test_lines_and_events_are_in_the_journal(box: Box) -> None:
    unit = write(box, "told", WEB.replace("echo hello", "echo hello; echo '<4>careful' >&2"))
    box.run(f"systemctl start {unit}")
    lines = {line["MESSAGE"]: line for line in box.journal("-t", "told/primary")}
    assert lines["hello"]["PRIORITY"] == "6"
    assert lines["careful"]["PRIORITY"] == "4"
    assert lines["careful"]["STREAM"] == "stderr"
    found = box.journal("GROUP=told", "MEMBER=primary", "-u", unit)
    assert {"hello", "careful", "primary starts"} <= {line["MESSAGE"] for line in found}
    ready = box.journal("GROUP=told", "EVENT=group-ready")
    assert len(ready) == 1
    assert ready[0]["SYSLOG_IDENTIFIER"] == "pairvisor"
    assert box.journal(f"MESSAGE_ID={ready[0]['MESSAGE_ID']}", "GROUP=told") == ready
    box.run(f"systemctl stop {unit}")
    assert box.journal("GROUP=told", "EVENT=group-ended")[0]["PRIORITY"] == "5"


def test_a_restart_of_the_group_is_none_of_the_unit(box: Box) -> None:
    unit = write(box, "again", WEB)
    box.run(f"systemctl start {unit}")
    before = box.show(unit, "MainPID")
    box.run(f"kill -9 {main_pid(box, 'again', 'tls')}")
    eventually(lambda: len(box.journal("GROUP=again", "EVENT=group-ready")) == 2)
    assert box.show(unit, "MainPID") == before
    assert box.show(unit, "ActiveState", "NRestarts") == ["active", "0"]
    box.run(f"systemctl stop {unit}")


def test_a_broken_manifest_fails_the_unit_once(box: Box) -> None:
    unit = write(box, "broken", "[primary]\ncomand = 'true'\n")
    box.run(f"systemctl start {unit}", check=False)
    assert box.show(unit, "ActiveState", "ExecMainStatus", "NRestarts") == ["failed", "78", "0"]
    said = " ".join(line["MESSAGE"] for line in box.journal("-u", unit))
    assert "/etc/pairvisor/broken.toml:2: primary.comand" in said
    unit = "pairvisor@nowhere"
    box.run(f"systemctl start {unit}", check=False)
    assert box.show(unit, "ExecMainStatus", "NRestarts") == ["78", "0"]


def test_a_group_that_gives_up_is_not_started_again(box: Box) -> None:
    unit = write(
        box, "over", '[primary]\ncommand = ["sh", "-c", "exit 3"]\non_failure = "teardown"'
    )
    box.run(f"systemctl start {unit}", check=False)
    eventually(lambda: box.show(unit, "ActiveState") == ["failed"])
    assert box.show(unit, "ExecMainStatus", "NRestarts") == ["3", "0"]


def test_a_group_that_succeeds_leaves_an_inactive_unit(box: Box) -> None:
    unit = write(box, "done", '[primary]\ncommand = "true"')
    box.run(f"systemctl start {unit}")
    eventually(lambda: box.show(unit, "ActiveState") == ["inactive"])
    assert box.show(unit, "Result", "NRestarts") == ["success", "0"]


def test_a_supervisor_that_was_killed_leaves_nothing_and_is_started_again(box: Box) -> None:
    stubborn = (
        'command = ["sh", "-c", "trap : TERM; (setsid sleep 1003 &); while :; do sleep 1; done"]'
    )
    unit = write(box, "killed", f"    grace = '1s'\n{WEB}    [sidecars.stubborn]\n    {stubborn}\n")
    drop_in(box, unit, "Restart=no")
    box.run(f"systemctl start {unit}")
    box.run(f"systemctl kill --kill-whom=main -s KILL {unit}")
    eventually(lambda: box.show(unit, "ActiveState") == ["failed"])
    assert cgroup_is_empty(box, unit)
    drop_in(box, unit, "")
    box.run(f"systemctl start {unit}")
    before = box.show(unit, "MainPID")
    box.run(f"systemctl kill --kill-whom=main -s KILL {unit}")
    eventually(lambda: box.show(unit, "ActiveState", "NRestarts") == ["active", "1"])
    assert box.show(unit, "MainPID") != before
    assert "running, ready" in box.run("pairvisor status -g killed")
    assert len(box.run("pgrep -fx 'sleep 1003'").split()) == 1
    box.run(f"systemctl stop {unit}")


def test_a_stop_is_in_order_and_has_the_groups_own_time(box: Box) -> None:
    """Longer than the unit's."""
    slow = '["sh", "-c", "trap \'sleep 3; exit 0\' TERM; while :; do sleep 0.05; done"]'
    unit = write(
        box,
        "slow",
        f"grace = '20s'\n[primary]\ncommand = {slow}\n[sidecars.side]\ncommand = 'sleep 1004'",
    )
    drop_in(box, unit, "TimeoutStopSec=1s")
    box.run(f"systemctl start {unit}")
    box.run(f"systemctl stop {unit}")
    assert box.show(unit, "ActiveState", "Result") == ["inactive", "success"]
    ended = [line["MEMBER"] for line in box.journal("GROUP=slow", "EVENT=member-exited")]
    assert ended == ["primary", "side"]


def test_a_start_has_the_groups_own_time(box: Box) -> None:
    late = '["sh", "-c", "sleep 3; touch ${run}/ok; exec sleep 1005"]'
    unit = write(box, "late", f"[primary]\ncommand = {late}\nready = {{ file = '${{run}}/ok' }}")
    drop_in(box, unit, "TimeoutStartSec=1s")
    box.run(f"systemctl start {unit}")
    assert box.show(unit, "ActiveState", "NRestarts") == ["active", "0"]
    box.run(f"systemctl stop {unit}")


def test_a_supervisor_that_hangs_is_killed_and_started_again(box: Box) -> None:
    unit = write(box, "stuck", WEB)
    drop_in(box, unit, "WatchdogSec=2s")
    box.run(f"systemctl start {unit}")
    before = box.show(unit, "MainPID")
    box.run(f"systemctl kill --kill-whom=main -s STOP {unit}")
    eventually(lambda: box.show(unit, "ActiveState", "NRestarts") == ["active", "1"], within=60)
    assert box.show(unit, "MainPID") != before
    box.run(f"systemctl stop {unit}")


def test_a_reload_restarts_what_has_changed(box: Box) -> None:
    unit = write(box, "changed", WEB)
    box.run(f"systemctl start {unit}")
    old = {name: main_pid(box, "changed", name) for name in ("tls", "primary")}
    write(box, "changed", WEB.replace("sleep 1002", "sleep 1006"))
    box.run(f"systemctl reload {unit}")
    eventually(lambda: box.show(unit, "StatusText") == ["running: 3 of 3 ready"])
    assert main_pid(box, "changed", "tls") == old["tls"]
    assert main_pid(box, "changed", "primary") != old["primary"]
    write(box, "changed", "nonsense")
    assert "changed.toml:1" in box.run(
        f"systemctl reload {unit}; journalctl -u {unit} -n 20", check=False
    )
    assert box.show(unit, "ActiveState") == ["active"]
    assert main_pid(box, "changed", "tls") == old["tls"]
    write(box, "changed", WEB)
    box.run(f"systemctl kill --kill-whom=main -s HUP {unit}")
    eventually(lambda: len(box.journal("GROUP=changed", "EVENT=reloaded")) == 2)
    assert main_pid(box, "changed", "tls") == old["tls"]
    box.run(f"systemctl stop {unit}")


def test_another_version_takes_over_and_the_unit_stays(box: Box) -> None:
    unit = write(box, "renewed", WEB)
    box.run(f"systemctl start {unit}")
    before = (box.show(unit, "MainPID"), main_pid(box, "renewed", "primary"))
    assert "has taken over from" in box.run("pairvisor reexec -g renewed")
    box.run(f"systemctl kill --kill-whom=main -s USR2 {unit}")
    eventually(lambda: len(box.journal("GROUP=renewed", "EVENT=reexecuted")) == 2)
    eventually(lambda: box.show(unit, "ActiveState") == ["active"])
    assert (box.show(unit, "MainPID"), main_pid(box, "renewed", "primary")) == before
    box.run(f"systemctl stop {unit}")
    assert box.show(unit, "Result") == ["success"]


def test_a_credential_is_a_secret(box: Box) -> None:
    box.put("/etc/canary", "canary-4711\n", 0o600)
    unit = write(
        box,
        "secret",
        """
        [secrets.db]
        credential = "db"
        [primary]
        command = ["sh", "-c", "wc -c < $CREDENTIALS_DIRECTORY/db; exec sleep 1007"]
        secrets = ["db"]
        """,
    )
    drop_in(box, unit, "LoadCredential=db:/etc/canary")
    box.run(f"systemctl start {unit}")
    eventually(lambda: "12" in [line["MESSAGE"] for line in box.journal("-t", "secret/primary")])
    everywhere = (
        f"journalctl --all; systemctl show {unit}; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    )
    everywhere += "; cat /var/lib/pairvisor/secret/*; pairvisor status --json -g secret"
    assert "canary-4711" not in box.run(f"{{ {everywhere}; }} | tr '\\0' '\\n'", check=False)
    box.run(f"systemctl stop {unit}")


def test_members_of_several_users(box: Box) -> None:
    write(
        box,
        "mixed",
        """
        [secrets.key]
        env = "KEY"
        [primary]
        command = ["sh", "-c", "umask 077; id -un; echo shared > ${volume}/file; exec sleep 1008"]
        user = "nobody"
        group = "nogroup"
        [sidecars.side]
        command = ["sh", "-c", "id -un; cat ${volume}/file ${secrets.key}; echo; exec sleep 1009"]
        user = "daemon"
        group = "daemon"
        secrets = ["key"]
        after = ["primary"]
        """,
    )
    unit = "pairvisor-root@mixed"
    drop_in(box, unit, "Environment=KEY=mixed-key")
    box.run(f"systemctl start {unit}")
    eventually(lambda: len(box.journal("-t", "mixed/side")) == 3)
    assert [line["MESSAGE"] for line in box.journal("-t", "mixed/primary")] == ["nobody"]
    said = [line["MESSAGE"] for line in box.journal("-t", "mixed/side")]
    assert said == ["daemon", "shared", "mixed-key"]
    assert box.run("ps -o user= -C sleep | sort -u").split() >= ["daemon", "nobody"]
    box.run(f"systemctl stop {unit}")
    assert box.show(unit, "Result") == ["success"]


def test_what_is_enabled_comes_up_with_the_machine(box: Box) -> None:
    units = [write(box, name, WEB) for name in ("first", "second")]
    box.run(f"systemctl enable --now {' '.join(units)}")
    box.reboot()
    for unit in units:
        eventually(lambda unit=unit: box.show(unit, "ActiveState") == ["active"])  # type: ignore[misc]
    assert "first" in box.run("pairvisor ls")
    box.run(f"systemctl disable --now {' '.join(units)}")
