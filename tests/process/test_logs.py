"""Where real members' output goes, and what becomes of it where it is not taken.

| fault | test |
| --- | --- |
| a reader is stopped (SIGSTOP) | test_one_that_reads_nothing_holds_up_its_own_source_only |
| a reader closes its standard input | test_a_reader_that_reads_no_more_* |
| a reader is killed | test_a_reader_that_is_killed_* |
| a full disk | test_on_a_full_disk_* |
| no journal | test_without_a_journal_* |
"""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pairvisor.runtime.logs import journal
from tests.process.test_control import ask, events, slowest_status
from tests.support import Up, eventually, needs_mount, tmpfs, up

FLOOD = """
    grace = "2s"
    [primary]
    command = ["sh", "-c", "exec sleep 1000"]

    [sidecars.flood]
    command = "yes 'a line that is longer than what is written before it as JSON, or nearly so'"
    log = { to = "none" %s }

    [sidecars.reader]
    command = ["sh", "-c", "%s"]
    stdin = ["flood"]
    on_failure = "ignore"
    on_success = "ignore"

    [sidecars.other]
    command = ["sh", "-c", "while :; do date +%%N >beat; sleep 0.01; done"]
"""


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def member(group: Up, name: str) -> Any:
    return next(m for m in ask(group, "/v1/status")[1]["members"] if m["name"] == name)


def written(group: Up) -> int:
    return int(member(group, "flood")["log_bytes"])


def beats(folder: Path) -> bool:
    """Whether the other member goes on."""
    before = (folder / "beat").read_text()
    eventually(lambda: (folder / "beat").read_text() != before)
    return True


def comes_to_rest(group: Up) -> int:
    """What the flood has written once it waits."""
    seen = [0, -1]

    def look() -> bool:
        seen.append(written(group))
        return seen[-1] == seen[-2] == seen[-3] > 0

    eventually(look)
    return seen[-1]


def test_a_file_in_the_groups_folder_for_logs(tmp_path: Path) -> None:
    manifest = """
        [primary]
        command = ["sh", "-c", "echo out; echo err >&2; printf last"]
        log = { file = "app.log", format = "json" }
    """
    with up(tmp_path, manifest) as group:
        assert group.wait() == 0
        assert "out" not in group.said
    file = tmp_path / "xdg-state/pairvisor/test/logs/app.log"
    found = {(one["stream"], one["message"]) for one in lines_of(file)}
    assert found == {("stdout", "out"), ("stderr", "err"), ("stdout", "last")}
    assert {(one["member"], one["run"]) for one in lines_of(file)} == {("primary", 1)}
    assert file.parent.stat().st_mode & 0o777 == 0o750


def test_two_members_share_a_file_and_older_ones_are_compressed(tmp_path: Path) -> None:
    log = f'log = {{ file = "{tmp_path}/all.log", max_size = "2KiB", compress = "gzip" }}'
    manifest = f"""
        [primary]
        command = ["sh", "-c", "while :; do seq 100; sleep 0.01; done"]
        {log}
        [sidecars.other]
        command = ["sh", "-c", "while :; do echo other; sleep 0.01; done"]
        {log}
    """
    with up(tmp_path, manifest) as group:
        eventually(lambda: len(list(tmp_path.glob("all.log.*.gz"))) >= 3)
        assert group.stop() in (0, 143)


def test_one_that_reads_nothing_holds_up_its_own_source_only(tmp_path: Path) -> None:
    with up(tmp_path, FLOOD % ("", "exec cat >/dev/null")) as group:
        group.read_until("group test is ready")
        eventually(lambda: written(group) > 10_000_000)
        os.kill(group.main("reader"), signal.SIGSTOP)
        still = comes_to_rest(group)
        assert beats(tmp_path)
        assert slowest_status(group, 20) < 1.0
        os.kill(group.main("reader"), signal.SIGCONT)
        eventually(lambda: written(group) > still + 10_000_000)
        os.kill(group.main("reader"), signal.SIGSTOP)
        assert group.stop() == 0


def test_or_it_loses_lines_where_that_is_set(tmp_path: Path) -> None:
    with up(tmp_path, FLOOD % (', overflow = "drop"', "exec cat >/dev/null")) as group:
        group.read_until("group test is ready")
        os.kill(group.main("reader"), signal.SIGSTOP)
        before = written(group)
        eventually(lambda: written(group) > before + 50_000_000)
        assert slowest_status(group, 5) < 1.0
        group.read_until(r"\d+ lines of flood did not get to reader: dropped")
        (lost,) = events(group, "lines-lost")
        assert (lost["member"], lost["detail"]) == ("flood", "reader")
        assert member(group, "flood")["lost_lines"] > 0


@pytest.mark.parametrize(
    "ends",
    ["exec <&-; exec sleep 1000", "exit 3", "exec sleep 1000"],
    ids=["closes", "ends", "asked"],
)
def test_a_reader_that_reads_no_more_holds_nobody_up(tmp_path: Path, ends: str) -> None:
    with up(tmp_path, FLOOD % ("", ends)) as group:
        group.read_until("group test is ready")
        if ends == "exec sleep 1000":
            comes_to_rest(group)
            assert ask(group, "/v1/stop", {"members": ["reader"]})[0] == 200
        eventually(lambda: written(group) > 50_000_000)
        group.read_until("did not get to reader: dropped")
        assert group.stop() == 0


NUMBERED = """
    [primary]
    command = ["sh", "-c", "for i in $(seq 3000); do echo $i; done; touch done; exec sleep 1000"]
    log = { to = "none", buffer = "64KiB" }

    [sidecars.reader]
    command = ["sh", "-c", "while read -r line; do echo $line >>read.jsonl; done"]
    stdin = ["primary"]
    on_failure = "restart"
    [restart]
    initial = "10ms"
"""


def test_a_reader_that_is_killed_reads_on(tmp_path: Path) -> None:
    """What it has in its hands when it is killed is a line at most."""
    with up(tmp_path, NUMBERED) as group:
        eventually((tmp_path / "read.jsonl").exists)
        for run in (2, 3, 4):
            group.kill("reader")
            eventually(lambda run=run: member(group, "reader")["restarts"] >= run - 1)  # type: ignore[misc]
        eventually((tmp_path / "done").exists)
        eventually(lambda: '"3000"' in (tmp_path / "read.jsonl").read_text())
        messages = [int(one["message"]) for one in lines_of(tmp_path / "read.jsonl")]
        assert messages == sorted(set(messages))
        assert len(messages) >= 2997
        assert member(group, "primary")["restarts"] == 0
        assert group.stop() == 0


def test_what_was_written_while_the_group_restarts_is_read_afterwards(tmp_path: Path) -> None:
    manifest = """
        [primary]
        command = ["sh", "-c", "echo run $PAIRVISOR_RESTARTS; read _ <gate; echo last; exit 3"]
        [sidecars.reader]
        command = ["sh", "-c", "exec cat >>read"]
        stdin = { from = ["primary"], format = "raw" }
        [restart]
        initial = "1ms"
    """
    os.mkfifo(tmp_path / "gate")
    with up(tmp_path, manifest) as group:
        for run in range(3):
            group.read_all(rf"primary +\| run {run}$")
            (tmp_path / "gate").write_text("\n")
        group.read_all(r"primary +\| run 3$")
        assert group.stop() == 0
        assert (tmp_path / "read").read_text() == "".join(
            f"run {n}\nlast\n" for n in range(3)
        ) + "run 3\n"


@needs_mount
@pytest.mark.parametrize("overflow", ["wait", "drop"])
def test_on_a_full_disk_members_run_and_it_is_said_once(tmp_path: Path, overflow: str) -> None:
    with tmpfs(tmp_path / "disk", "1m") as disk:
        manifest = f"""
            [primary]
            command = ["sh", "-c", "exec sleep 1000"]
            [sidecars.flood]
            command = ["sh", "-c", "while :; do seq 1000; sleep 0.01; done"]
            log.file = "{disk}/flood.log"
            log.format = "raw"
            log.buffer = "64KiB"
            log.overflow = "{overflow}"
        """
        with up(tmp_path, manifest) as group:
            group.read_until("flood.log: No space left on device")
            if overflow == "wait":
                comes_to_rest(group)
            else:
                before = written(group)
                eventually(lambda: written(group) > before + 200_000)
            assert slowest_status(group, 5) < 1.0
            status = ask(group, "/v1/status")[1]
            assert status["degraded"] == [f"{disk}/flood.log: No space left on device"]
            assert all(m["state"] == "running" for m in status["members"])
            used = cpu_seconds(group)
            began = time.monotonic()
            eventually(lambda: time.monotonic() - began > 1)
            if overflow == "wait":
                assert cpu_seconds(group) - used < 0.5
            still = written(group)
            os.truncate(disk / "flood.log", 0)
            group.read_until("flood.log takes what is written again")
            eventually(lambda: written(group) > still + 20_000)
            assert group.stop() == 0
        assert len(said_of(tmp_path, "degraded")) == len(said_of(tmp_path, "recovered")) == 1


def said_of(folder: Path, kind: str) -> list[Any]:
    path = folder / "xdg-state/pairvisor/test/events.jsonl"
    return [event for event in lines_of(path) if event["kind"] == kind]


def cpu_seconds(group: Up) -> float:
    fields = Path(f"/proc/{group.supervisor}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@needs_mount
def test_what_never_got_to_a_full_disk_is_counted_at_the_end(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "64k") as disk:
        (disk / "filler").write_bytes(b"x" * 65536)
        manifest = f"""
            [primary]
            command = ["sh", "-c", "for i in $(seq 100); do echo $i; done; sleep 1000"]
            log = {{ file = "{disk}/app.log", format = "raw" }}
        """
        with up(tmp_path, manifest) as group:
            group.read_until("app.log: No space left on device")
            assert group.stop() == 0
            assert "100 lines of primary did not get to" in group.said
        assert said_of(tmp_path, "lines-lost")
        assert said_of(tmp_path, "group-ended")


def test_without_a_journal_lines_wait_for_one(tmp_path: Path) -> None:
    if os.path.exists(journal.SOCKET):
        pytest.skip("this machine has a journal: tests/systemd has the rest")
    manifest = """
        [primary]
        command = ["sh", "-c", "echo one; exec sleep 1000"]
        log = { to = "journal" }
    """
    with up(tmp_path, manifest) as group:
        group.read_until(r"the journal: No such file or directory")
        assert ask(group, "/v1/status")[1]["degraded"]
        assert group.stop() == 0
        assert "1 line of primary did not get to the journal" in group.said


RELOADED = """
    [primary]
    command = ["sh", "-c", "while :; do echo tick; sleep 0.01; done"]
    log = { file = "LOG" }
"""


def test_where_lines_go_changes_by_a_reload_without_a_restart(tmp_path: Path) -> None:
    first, second = (str(tmp_path / name) for name in ("first.log", "second.log"))
    with up(tmp_path, RELOADED.replace("LOG", first)) as group:
        eventually(lambda: os.path.exists(first))
        reader = '[sidecars.r]\ncommand = ["sh", "-c", "exec cat >read"]\nstdin = ["primary"]\n'
        group.manifest.write_text('name = "test"\n' + RELOADED.replace("LOG", second) + reader)
        assert ask(group, "/v1/reload", {})[0] == 200
        eventually(lambda: os.path.exists(second))
        size = os.path.getsize(first)
        eventually((tmp_path / "read").exists)
        eventually(lambda: len((tmp_path / "read").read_text().splitlines()) > 3)
        assert os.path.getsize(first) == size
        assert member(group, "primary")["restarts"] == 0
        group.manifest.write_text('name = "test"\n' + RELOADED.replace("LOG", second))
        assert ask(group, "/v1/reload", {})[0] == 200
        eventually(lambda: events(group, "member-exited"))
        size = os.path.getsize(second)
        eventually(lambda: os.path.getsize(second) > size + 200)
        assert group.stop() in (0, 143)


def test_a_line_of_100_megabytes_is_cut_and_costs_little_memory(tmp_path: Path) -> None:
    script = "head -c 100000000 /dev/zero | tr '\\\\0' x; echo; echo short; exec sleep 1000"
    manifest = f"""
        [primary]
        command = ["sh", "-c", "{script}"]
        log = {{ file = "app.jsonl", format = "json", max_size = 0 }}
        [sidecars.reader]
        command = ["sh", "-c", "exec wc -c >count"]
        stdin = {{ from = ["primary"], format = "raw" }}
    """
    with up(tmp_path, manifest) as group:
        file = tmp_path / "xdg-state/pairvisor/test/logs/app.jsonl"
        eventually(lambda: file.exists() and b'"short"' in tail(file), within=60)
        status = Path(f"/proc/{group.supervisor}/status").read_text()
        assert int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) < 80_000
        assert group.stop() == 0
    parts = lines_of(file)
    assert parts.pop()["message"] == "short"
    assert [part.get("continues") for part in parts] == [True] * (len(parts) - 1) + [None]
    assert sum(len(part["message"]) for part in parts) == 100_000_000
    assert max(len(part["message"]) for part in parts) < 400_000
    assert int((tmp_path / "count").read_text()) == 100_000_007


def tail(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(file.stat().st_size - 1000, 0))
        return opened.read()
