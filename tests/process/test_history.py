"""Events on disks that fail, and what a kill leaves of them."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pairvisor.record.model import Event, Kind
from pairvisor.runtime import history
from pairvisor.runtime.history import EVENTS, OLDER, RESULT, History, read_events, read_result
from pairvisor.runtime.memory import Oom
from tests.process.test_control import ask
from tests.support import eventually, up

needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
SLEEPER = """
    [primary]
    command = ["sleep", "1000"]
"""


def event(number: int, text: str = "something") -> Event:
    return Event(id=number, at="2026-05-01T12:00:00.000Z", kind=Kind.REQUESTED, text=text)


def fill(folder: Path, numbers: range) -> History:
    kept = History(str(folder))
    for number in numbers:
        kept.add(event(number))
    kept.flush()
    return kept


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_events_outlive_the_one_who_wrote_them(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 6))
    second = fill(tmp_path / "state", range(6, 9))
    assert [one.id for one in second.since(0)] == list(range(1, 9))
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / EVENTS).stat().st_mode & 0o777 == 0o600


def test_a_log_that_is_cut_anywhere_is_read_up_to_there_and_written_on(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 4))
    whole = (tmp_path / "state" / EVENTS).read_bytes()
    for cut in range(len(whole)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / EVENTS).write_bytes(whole[:cut])
        lines = whole[:cut].count(b"\n")
        kept = fill(folder, range(10, 12))
        assert {10, 11} <= {one.id for one in read_events(str(folder))[0]}
        assert len(kept.since(0)) in (lines + 2, lines + 3)
        shutil.rmtree(folder)


def test_a_log_with_any_byte_changed_is_read_but_for_that_line(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 4))
    path = tmp_path / "state" / EVENTS
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :])
        events, _ = read_events(str(tmp_path / "state"))
        assert len(events) >= 1
        numbers = [one.id for one in events]
        assert numbers == sorted(set(numbers))


def test_two_files_of_a_megabyte_are_the_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LARGEST", 10_000)
    kept = History(str(tmp_path / "state"))
    for number in range(1, 2001):
        kept.add(event(number))
        kept.flush()
    files = {path.name: path.stat().st_size for path in (tmp_path / "state").iterdir()}
    assert set(files) <= {EVENTS, OLDER, RESULT}
    assert sum(files.values()) < 25_000
    events, skipped = read_events(str(tmp_path / "state"))
    assert events[-1].id == 2000
    assert not skipped
    assert len(kept.since(0)) == history.KEPT


@needs_mount
def test_a_full_disk_is_said_and_what_was_missed_is_written_when_there_is_room(
    tmp_path: Path,
) -> None:
    with mounted(tmp_path / "disk", "64k"):
        kept = fill(tmp_path / "disk" / "state", range(1, 3))
        ballast = fill_up(tmp_path / "disk")
        for number in range(3, 103):
            kept.add(event(number))
            kept.flush()
        assert "No space left on device" in kept.degraded[0]
        ballast.unlink()
        kept.add(event(103))
        kept.flush()
        assert not kept.degraded
        events, _ = read_events(str(tmp_path / "disk" / "state"))
        assert [one.id for one in events] == list(range(1, 104))


@needs_mount
def test_a_disk_that_becomes_read_only_is_said_and_recovers(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "1m"):
        kept = fill(tmp_path / "disk" / "state", range(1, 3))
        kept._close()  # what is open for writing keeps a disk from that
        remount(tmp_path / "disk", "ro")
        kept.add(event(3))
        kept.flush()
        assert kept.degraded
        remount(tmp_path / "disk", "rw")
        kept.add(event(4))
        kept.flush()
        assert not kept.degraded
        assert [one.id for one in read_events(str(tmp_path / "disk" / "state"))[0]] == [1, 2, 3, 4]


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


def fill_up(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 256)
    return ballast


def test_a_log_that_somebody_removes_or_replaces_is_made_anew(tmp_path: Path) -> None:
    kept = fill(tmp_path / "state", range(1, 3))
    (tmp_path / "state" / EVENTS).unlink()
    kept.add(event(3))
    kept.flush()
    assert [one.id for one in read_events(str(tmp_path / "state"))[0]] == [3]
    shutil.rmtree(tmp_path / "state")
    kept.add(event(4))
    kept.flush()
    assert [one.id for one in read_events(str(tmp_path / "state"))[0]] == [4]
    assert not kept.degraded


def test_a_link_is_not_followed_and_another_kind_of_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "secret").write_text("")
    (tmp_path / "state" / EVENTS).symlink_to(tmp_path / "secret")
    kept = fill(tmp_path / "state", range(1, 3))
    assert kept.degraded
    assert (tmp_path / "secret").read_text() == ""
    (tmp_path / "state" / EVENTS).unlink()
    (tmp_path / "state" / EVENTS).mkdir()
    kept.flush()
    assert kept.degraded


def test_a_result_that_is_torn_is_none(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 3))
    assert read_result(str(tmp_path / "state")) is not None
    whole = (tmp_path / "state" / RESULT).read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "state" / RESULT).write_bytes(whole[:cut])
        assert read_result(str(tmp_path / "state")) is None
    assert read_result(str(tmp_path / "nowhere")) is None


@needs_mount
def test_a_group_runs_on_and_answers_while_its_state_folder_is_full(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "64k"):
        with up(tmp_path, SLEEPER, XDG_STATE_HOME=str(tmp_path / "disk")) as group:
            group.read_until("group test is ready")
            eventually((tmp_path / "disk/pairvisor/test" / EVENTS).exists)
            ballast = fill_up(tmp_path / "disk")

            def is_degraded() -> Any:
                ask(group, "/v1/restart", {"members": ["primary"]})
                return ask(group, "/v1/status")[1]["degraded"]

            eventually(is_degraded)
            assert ask(group, "/v1/status")[1]["state"] == "running"
            kinds = [one["kind"] for one in ask(group, "/v1/events")[1]]
            assert "degraded" in kinds
            ballast.unlink()
            ask(group, "/v1/restart", {"members": ["primary"]})
            eventually(lambda: not ask(group, "/v1/status")[1]["degraded"])
            assert group.stop() == 0
        events, _ = read_events(str(tmp_path / "disk/pairvisor/test"))
        assert events[-1].kind is Kind.GROUP_ENDED


def test_the_last_result_is_there_after_the_end_and_after_a_kill(tmp_path: Path) -> None:
    failing = SLEEPER.replace('"sleep", "1000"', '"sh", "-c", "echo last words; exit 3"')
    state = tmp_path / "state" / "pairvisor" / "test"
    with up(
        tmp_path, failing + '    on_failure = "teardown"', XDG_STATE_HOME=f"{tmp_path}/state"
    ) as group:
        assert group.wait() == 3
    result = read_result(str(state))
    assert result is not None
    assert result.status is not None
    assert (result.status.state, result.status.exit_status) == ("failed", 3)
    assert result.status.last_lines == ["last words"]
    with up(tmp_path, SLEEPER, XDG_STATE_HOME=f"{tmp_path}/state") as group:
        group.read_until("group test is ready")
        eventually(lambda: lives(state) == 2)
        os.kill(group.supervisor, 9)
        group.wait()
    assert read_result(str(state)) == history.Result()
    assert lives(state) == 2


def lives(state: Path) -> int:
    return [one.kind for one in read_events(str(state))[0]].count(Kind.SUPERVISOR_STARTED)


def test_want_of_memory_is_told_by_the_kernels_counters(tmp_path: Path) -> None:
    cgroup, vmstat = tmp_path / "cgroup", tmp_path / "vmstat"
    (tmp_path / "own").mkdir()
    events = tmp_path / "own" / "memory.events"
    cgroup.write_text("0::/own\n")
    vmstat.write_text("nr_free_pages 1\noom_kill 5\n")
    oom = Oom(str(cgroup), str(tmp_path), str(vmstat))
    assert not oom.happened()
    vmstat.write_text("nr_free_pages 1\noom_kill 6\n")
    assert oom.happened()
    assert not oom.happened()
    events.write_text("low 0\noom 2\noom_kill 0\noom_group_kill 0\n")
    own = Oom(str(cgroup), str(tmp_path), str(vmstat))
    vmstat.write_text("nr_free_pages 1\noom_kill 9\n")
    assert not own.happened(), "somebody else's"
    events.write_text("low 0\noom 3\noom_kill 1\noom_group_kill 0\n")
    assert own.happened()


def test_a_line_is_what_the_documents_say(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 2))
    line = (tmp_path / "state" / EVENTS).read_text()
    assert re.fullmatch(r'\{"id":1,"at":"[^"]+","kind":"requested","text":"something"\}\n', line)
    assert msgspec.json.decode(line, type=Event) == event(1)
