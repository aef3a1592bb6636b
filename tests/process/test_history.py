"""Events on disks that fail, and what a kill leaves of them."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pairvisor.core import effects as do
from pairvisor.manifest.group import Group, Member, Places, Role
from pairvisor.record.ending import with_end
from pairvisor.record.journal import Journal
from pairvisor.record.model import Caller, Event, Kind
from pairvisor.record.why import why
from pairvisor.runtime import history
from pairvisor.runtime.history import (
    EVENTS,
    NEW_RESULT,
    OLDER,
    RESULT,
    DamagedError,
    History,
    Result,
    read_events,
    read_result,
)
from pairvisor.runtime.memory import Oom
from pairvisor.runtime.records import Records
from tests import documents
from tests.process.test_control import ask
from tests.support import eventually, needs_mount, tmpfs, up

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
SLEEPER = """
    [primary]
    command = ["sleep", "1000"]
"""


RUNNING = Result(status=None)
ENDED = documents.status(
    group="test",
    state="failed",
    ready=False,
    manifest="/srv/test/pairvisor.toml",
    started_at="2026-05-01T12:00:00.000Z",
    ended_at="2026-05-01T12:00:09.000Z",
    exit_status=3,
)


def event(number: int, text: str = "something") -> Event:
    return Event(id=number, at="2026-05-01T12:00:00.000Z", kind=Kind.REQUESTED, text=text)


def fill(folder: Path, numbers: range) -> History:
    kept = History(str(folder))
    for number in numbers:
        kept.add(event(number))
    kept.flush()
    return kept


def test_events_outlive_the_one_who_wrote_them(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 6))
    second = fill(tmp_path / "state", range(6, 9))
    assert [one.id for one in second.since(0)] == list(range(1, 9))
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / EVENTS).stat().st_mode & 0o777 == 0o600


def test_the_folder_above_is_roots_for_all_and_others_own(tmp_path: Path) -> None:
    """A group that root has run shuts out no service of another user's."""
    before = os.umask(0o077)
    try:
        fill(tmp_path / "lib/pairvisor/state", range(1, 2))
    finally:
        os.umask(before)
    mode = (tmp_path / "lib/pairvisor").stat().st_mode & 0o777
    assert mode == (0o755 if os.geteuid() == 0 else 0o700)


def test_a_log_that_is_cut_anywhere_is_read_up_to_there_and_written_on(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 4))
    whole = (tmp_path / "state" / EVENTS).read_bytes()
    for cut in range(len(whole)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / EVENTS).write_bytes(whole[:cut])
        lines = whole[:cut].count(b"\n")
        # Without its newline the last line may be whole all the same.
        is_whole = whole[cut : cut + 1] == b"\n"
        kept = fill(folder, range(10, 12))
        assert kept.lost == (whole[:cut][-1:] not in (b"", b"\n") and not is_whole)
        expected = [*range(1, lines + is_whole + 1), 10, 11]
        assert [one.id for one in kept.since(0)] == expected
        assert [one.id for one in read_events(str(folder))[0]] == expected
        shutil.rmtree(folder)


@pytest.mark.parametrize("mask", [0x01, 0x08, 0x15, 0x80])
def test_a_log_with_any_byte_changed_is_read_but_for_that_line(tmp_path: Path, mask: int) -> None:
    fill(tmp_path / "state", range(8, 14))
    path = tmp_path / "state" / EVENTS
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
        line = 8 + whole[:at].count(b"\n")
        touched = {line, line + 1} if whole[at : at + 1] == b"\n" else {line}
        numbers = [one.id for one in read_events(str(tmp_path / "state"))[0]]
        assert numbers == sorted(set(numbers))
        assert set(range(8, 14)) - touched <= set(numbers)
        kept = History(str(tmp_path / "state"))
        assert kept.last_id >= max(set(range(8, 14)) - touched)


def test_what_can_not_be_read_is_counted_and_said(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 4))
    with (tmp_path / "state" / EVENTS).open("ab") as file:
        file.write(b'garbage\n{"id":4,"at"')
    kept = fill(tmp_path / "state", range(10, 12))
    assert kept.lost == 2
    assert [one.id for one in read_events(str(tmp_path / "state"))[0]] == [1, 2, 3, 10, 11]
    text = Journal(kept.last_id + 1).started("2026-05-01T12:00:00.000Z", kept.lost).text
    assert text == "the supervisor starts (2 lines of the earlier events can't be read)"


def test_numbers_go_on_whatever_the_logs_tail_is(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 4))
    with (tmp_path / "state" / EVENTS).open("ab") as file:
        file.write(b"\0" * (history.TAIL + 10))
    kept = fill(tmp_path / "state", range(4, 6))
    assert [one.id for one in kept.since(0)] == [1, 2, 3, 4, 5]
    assert [one.id for one in read_events(str(tmp_path / "state"))[0]] == [1, 2, 3, 4, 5]


def test_of_numbers_that_do_not_fit_together_the_most_that_do_are_believed(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 2))
    lines = [msgspec.json.encode(event(number)) for number in (1, 2, 70, 80, 3, 4, 5)]
    (tmp_path / "state" / EVENTS).write_bytes(b"".join(line + b"\n" for line in lines))
    events, lost = read_events(str(tmp_path / "state"))
    assert ([one.id for one in events], lost) == ([1, 2, 3, 4, 5], 2)


def test_of_a_large_log_the_tail_is_read_at_the_start_and_all_when_it_is_asked_for(
    tmp_path: Path,
) -> None:
    kept = History(str(tmp_path / "state"))
    for number in range(1, 6001):
        kept.add(event(number, "a" * 100))
        if not number % 100:
            kept.flush()
    again = History(str(tmp_path / "state"))
    assert not again.lost
    assert [one.id for one in again.since(0)] == list(range(5001, 6001))
    assert [one.id for one in again.since(5998)] == [5999, 6000]
    assert [one.id for one in again.all()] == list(range(1, 6001))
    again.add(event(6001))
    assert again.all()[-1].id == 6001, "what is not written yet is known, too"
    events, lost = read_events(str(tmp_path / "state"), 10_000)
    assert (events[-1].id, lost) == (6000, 0)
    assert 40 < len(events) < 80


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


def test_a_log_that_can_not_become_the_older_half_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LARGEST", 10_000)
    kept = History(str(tmp_path / "state"))
    (tmp_path / "state" / OLDER).mkdir()
    for number in range(1, 2001):
        kept.add(event(number))
        kept.flush()
    assert (tmp_path / "state" / EVENTS).stat().st_size < 10_200
    assert "Is a directory" in kept.degraded[0]
    (tmp_path / "state" / OLDER).rmdir()
    kept.add(event(2001))
    kept.flush()
    assert not kept.degraded
    assert read_events(str(tmp_path / "state"))[0][-1].id == 2001


@needs_mount
def test_a_full_disk_is_said_and_what_was_missed_is_written_when_there_is_room(
    tmp_path: Path,
) -> None:
    with tmpfs(tmp_path / "disk", "64k"):
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
def test_a_folder_that_goes_while_the_disk_is_full_is_made_anew(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "64k"):
        kept = fill(tmp_path / "disk" / "state", range(1, 3))
        ballast = fill_up(tmp_path / "disk")
        for number in range(3, 103):
            kept.add(event(number))
            kept.flush()
        assert kept.degraded
        shutil.rmtree(tmp_path / "disk" / "state")
        ballast.unlink()
        kept.add(event(103))
        kept.flush()
        assert not kept.degraded
        assert read_events(str(tmp_path / "disk" / "state"))[0][-1].id == 103
        assert read_result(str(tmp_path / "disk" / "state")) == RUNNING


def test_a_disk_that_fails_is_said_and_no_event_is_lost(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None or os.geteuid():
        pytest.skip("needs root and strace: apt-get install strace")
    with up(tmp_path, SLEEPER) as group:
        group.read_until("group test is ready")
        state = tmp_path / "xdg-state/pairvisor/test"
        eventually(lambda: Kind.GROUP_READY in [one.kind for one in read_events(str(state))[0]])
        words = [strace, "-p", str(group.supervisor), "-o", "/dev/null", "-P", f"{state}/{EVENTS}"]
        with subprocess.Popen(
            [*words, "-e", "inject=write:error=EIO:when=1..2"], stderr=subprocess.PIPE
        ) as tracer:
            assert tracer.stderr is not None
            assert b"attached" in tracer.stderr.readline()
            ask(group, "/v1/restart", {"members": ["primary"]})
            eventually(lambda: "Input/output error" in str(ask(group, "/v1/events")[1]))
            ask(group, "/v1/restart", {"members": ["primary"]})
            eventually(lambda: not ask(group, "/v1/status")[1]["degraded"])
            tracer.terminate()
        assert group.stop() == 0
    events, lost = read_events(str(state))
    assert [one.id for one in events] == list(range(1, len(events) + 1))
    assert not lost
    kinds = [one.kind for one in events]
    assert (kinds.count(Kind.DEGRADED), kinds.count(Kind.RECOVERED)) == (1, 1)


@needs_mount
def test_a_disk_that_becomes_read_only_is_said_and_recovers(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "1m"):
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


def test_nobody_waits_for_the_other_side_of_a_fifo(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    for name in (EVENTS, OLDER, RESULT, NEW_RESULT):
        os.mkfifo(tmp_path / "state" / name)
    kept = fill(tmp_path / "state", range(1, 3))
    assert kept.degraded == [
        f"events are not kept in {tmp_path}/state: events.jsonl is not a file, or is another user's"
    ]
    assert read_result(str(tmp_path / "state")) == RUNNING


@needs_root
def test_another_users_file_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / EVENTS).touch()
    os.chown(tmp_path / "state" / EVENTS, 65534, 65534)
    assert fill(tmp_path / "state", range(1, 3)).degraded
    assert not (tmp_path / "state" / EVENTS).read_bytes()


def test_a_result_that_is_torn_is_told_from_none(tmp_path: Path) -> None:
    kept = fill(tmp_path / "state", range(1, 3))
    kept.finish(ENDED)
    assert read_result(str(tmp_path / "state")) == Result(status=ENDED)
    whole = (tmp_path / "state" / RESULT).read_bytes()
    text = whole.rstrip()
    for cut in range(len(text)):
        (tmp_path / "state" / RESULT).write_bytes(whole[:cut])
        with pytest.raises(DamagedError, match=r"result\.json: it is damaged"):
            read_result(str(tmp_path / "state"))
    for at in range(len(text)):
        flipped = whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :]
        (tmp_path / "state" / RESULT).write_bytes(flipped)
        with suppress(DamagedError):
            assert read_result(str(tmp_path / "state")) != RUNNING
    assert read_result(str(tmp_path / "nowhere")) is None


def test_that_it_runs_is_noted_as_soon_as_that_is_possible(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 3)).finish(ENDED)
    (tmp_path / "state" / NEW_RESULT).mkdir()
    (tmp_path / "state" / RESULT).chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "BLOCK", 1 << 16)  # more than there is to write over
        kept = History(str(tmp_path / "state"))
        assert kept.degraded
        assert read_result(str(tmp_path / "state")) == Result(status=ENDED)
    (tmp_path / "state" / NEW_RESULT).rmdir()
    kept.add(event(5))
    kept.flush()
    assert not kept.degraded
    assert read_result(str(tmp_path / "state")) == RUNNING


def test_a_result_that_somebody_removes_with_its_folder_is_noted_anew(tmp_path: Path) -> None:
    kept = fill(tmp_path / "state", range(1, 3))
    shutil.rmtree(tmp_path / "state")
    kept.add(event(3))
    kept.flush()
    assert read_result(str(tmp_path / "state")) == RUNNING
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").touch()
    kept.add(event(4))
    kept.flush()
    assert "Not a directory" in kept.degraded[0]
    (tmp_path / "state").unlink()
    kept.add(event(5))
    kept.flush()
    assert read_result(str(tmp_path / "state")) == RUNNING
    assert [one.id for one in read_events(str(tmp_path / "state"))[0]] == [4, 5]


@needs_mount
def test_on_a_full_disk_the_end_is_told_all_the_same(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "64k"):
        kept = fill(tmp_path / "disk" / "state", range(1, 3))
        fill_up(tmp_path / "disk")
        kept.finish(replace(ENDED, last_lines=["x" * 10_000]))
        assert kept.degraded
        assert read_result(str(tmp_path / "disk" / "state")) == Result(status=ENDED)
        again = History(str(tmp_path / "disk" / "state"))
        assert again.degraded
        assert read_result(str(tmp_path / "disk" / "state")) == RUNNING, "it runs again"


@needs_mount
def test_a_group_that_fails_because_the_disk_is_full_says_so_afterwards(tmp_path: Path) -> None:
    failing = SLEEPER.replace('"sleep", "1000"', '"sh", "-c", "read _ <gate; exit 3"')
    os.mkfifo(tmp_path / "gate")
    with tmpfs(tmp_path / "disk", "64k"):
        torn_down = failing + '    on_failure = "teardown"'
        with up(tmp_path, torn_down, XDG_STATE_HOME=f"{tmp_path}/disk") as group:
            group.read_until("group test is ready")
            state = tmp_path / "disk/pairvisor/test"
            eventually(lambda: Kind.GROUP_READY in [one.kind for one in read_events(str(state))[0]])
            fill_up(tmp_path / "disk")
            (tmp_path / "gate").write_text("go")
            assert group.wait() == 3
        result = read_result(str(state))
        assert result is not None
        assert result.status is not None
        assert (result.status.state, result.status.exit_status) == ("failed", 3)
        known = with_end(read_events(str(state))[0], result.status)
        text = why("test", known, runs=False).text
        assert text.startswith("group test failed: primary exited with 3, ")


def test_the_end_is_the_last_event(tmp_path: Path) -> None:
    by = Caller(uid=1000, gid=1000, pid=42)
    where = Places(run=str(tmp_path), state=str(tmp_path / "state"))
    member = Member(name="app", role=Role.PRIMARY)
    records = Records(Group(name="shop", places=where, members={"app": member}), lambda *_: None)
    with closing(asyncio.new_event_loop()) as loop:
        records.begin(loop)
        records.ended(do.Finish(do.Outcome.STOPPED, 0))
        records.refused(by)
        assert records.requested("stop", by)
        records.close(ENDED)
    assert records.history.since(0)[-1].kind is Kind.GROUP_ENDED
    assert read_events(str(tmp_path / "state"))[0][-1].kind is Kind.GROUP_ENDED


@needs_mount
def test_a_group_runs_on_and_answers_while_its_state_folder_is_full(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "64k"):
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
    assert read_result(str(state)) == RUNNING
    assert lives(state) == 2


def test_a_group_that_runs_tells_what_its_memory_has_forgotten(tmp_path: Path) -> None:
    at = "2026-05-01T12:00:00.000Z"
    ended = Event(
        id=2, at=at, kind=Kind.GROUP_ENDED, text="group test failed: long ago", goal="failed"
    )
    before = [Journal(1).started(at), ended, *map(event, range(3, 4000))]
    state = tmp_path / "xdg-state" / "pairvisor" / "test"
    state.mkdir(parents=True)
    (state / EVENTS).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in before))
    with up(tmp_path, SLEEPER) as group:
        group.read_until("group test is ready")
        assert len(ask(group, "/v1/events")[1]) == history.KEPT
        assert ask(group, "/v1/why")[1]["text"].startswith("group test failed: long ago")
        assert ask(group, "/v1/timeline")[1]["took"] is not None


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
    events.unlink()
    assert not own.happened(), "another file's count says nothing"
    events.write_text("oom_kill 2\n")
    assert own.happened(), "while nobody could look"
    assert not Oom(str(tmp_path / "a"), str(tmp_path), str(tmp_path / "b")).happened()


MEMORY = Path("/sys/fs/cgroup/memory")  # of cgroups v1: a limit there needs no parent's consent


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(MEMORY / "cgroup.procs", os.W_OK),
    reason="only root can limit memory, and here that needs cgroups v1",
)
def test_a_member_that_the_kernel_killed_for_want_of_memory_is_told_as_such(tmp_path: Path) -> None:
    limited = MEMORY / f"pairvisor-test-{os.getpid()}"
    limited.mkdir()
    try:
        (limited / "memory.limit_in_bytes").write_text(str(20 << 20))
        greedy = f"{sys.executable} -c 'x = bytearray(200 << 20)'"
        manifest = f"""
            [primary]
            command = ["sh", "-c", "echo 0 >{limited}/cgroup.procs; exec {greedy}"]
            on_failure = "teardown"
        """
        with up(tmp_path, manifest) as group:
            group.read_until(r"failed: primary was killed by SIGKILL \(out of memory\)")
            assert group.wait() == 137
        with up(tmp_path, SLEEPER + '    on_failure = "teardown"') as group:
            group.read_until("group test is ready")
            group.kill("primary")
            group.read_until("failed: primary was killed by SIGKILL, after")
            assert group.wait() == 137
    finally:
        limited.rmdir()


def test_a_line_is_what_the_documents_say(tmp_path: Path) -> None:
    fill(tmp_path / "state", range(1, 2))
    line = (tmp_path / "state" / EVENTS).read_text()
    assert re.fullmatch(r'\{"id":1,"at":"[^"]+","kind":"requested","text":"something"\}\n', line)
    assert msgspec.json.decode(line, type=Event) == event(1)
