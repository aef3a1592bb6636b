"""What the rings keep is what the pump passed on: the same lines, in bounded memory.

| fault | test |
| --- | --- |
| output that is cut anywhere | test_lines_are_those_that_the_pump_passes_on |
| 200 MB in lines of one byte, in one line; 10,000 members | test_*_in_bounded_memory |
| a new run that floods the ring | test_a_flood_leaves_the_last_words_of_the_run_before |
| a follower that is too slow | test_a_follower_that_was_too_slow_* |
| the wall clock is set back | test_a_clock_that_is_set_back_* |
"""

import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairvisor.api.client import Client
from pairvisor.record.model import LogLine
from pairvisor.runtime import rings as sizes
from pairvisor.runtime.logs import pump as pumps
from pairvisor.runtime.logs.pump import Pump, Source
from pairvisor.runtime.ring import OVERHEAD, Stream
from pairvisor.runtime.rings import Rings
from tests.process.pumping import Taking, lead_to
from tests.support import WITHIN, up


def put(rings: Rings, member: str, data: bytes, run: int = 1, stream: Stream = "stdout") -> None:
    """Whole lines."""
    rings.put(member, run, stream, data, continues=False, ends=False)


def messages(lines: list[LogLine]) -> list[str]:
    return [line.message for line in lines]


class Feed:
    """A pump that is fed by hand; `passed` is what it has passed on."""

    def __init__(self, *members: str) -> None:
        self.rings = Rings(members)
        self._pump = Pump(None, self.rings)
        self._outlet = Taking()
        lead_to(self._pump, self._outlet)
        self._sources: dict[tuple[str, Stream, int], Source] = {}

    def put(self, member: str, data: bytes, run: int = 1, stream: Stream = "stdout") -> None:
        key = member, stream, run
        source = self._sources.setdefault(key, Source(member, stream, run))
        self._pump._take(source, data)

    def end(self) -> None:
        for source in self._sources.values():
            self._pump._take(source, b"")

    @property
    def passed(self) -> list[str]:
        return self._outlet.lines


def in_words(lines: list[LogLine]) -> list[str]:
    return [f"{line.member} {line.stream} {line.message}" for line in lines]


def test_a_line_is_who_wrote_what_when_where() -> None:
    feed = Feed("app")
    feed.put("app", b"one\ntw", run=3)
    feed.put("app", b"error\n", run=3, stream="stderr")
    feed.put("app", b"o\0\xff\r\n", run=3)
    lines = feed.rings.lines()
    assert messages(lines) == ["one", "error", "two\0\ufffd\r"]
    assert [line.stream for line in lines] == ["stdout", "stderr", "stdout"]
    assert {(line.member, line.run) for line in lines} == {("app", 3)}
    assert lines[0].at <= lines[-1].at
    assert len(lines[0].at) == len("2026-05-01T12:00:00.000Z")


PIECES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["stdout", "stderr"]),
        st.sampled_from([1, 1, 1, 2]),
        st.lists(st.sampled_from([b"x", b"\n", b"x" * 13]), min_size=1, max_size=6).map(b"".join),
    ),
    max_size=40,
)


@given(PIECES, st.integers(1, 5), st.integers(0, 12), st.booleans())
@settings(deadline=None, max_examples=300)
def test_lines_are_those_that_the_pump_passes_on(
    pieces: list[tuple[str, Stream, int, bytes]], limit: int, n: int, ends: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pumps, "LONGEST_LINE", 12)
        feed = Feed("a", "b")
        follower = feed.rings.follow()
        followed: list[LogLine] = []
        for member, stream, run, data in pieces:
            feed.put(member, data, run, stream)
            followed += follower.take(limit)[0]
        if ends:
            feed.end()
        while found := follower.take(limit)[0]:
            followed += found
        assert in_words(followed) == feed.passed
        lines = in_words(feed.rings.lines())
        assert lines[: len(feed.passed)] == feed.passed
        unfinished = lines[len(feed.passed) :]
        assert not (ends and unfinished)
        assert in_words(feed.rings.lines(n=n)) == lines[max(len(lines) - n, 0) :]
        last = feed.rings.follow(n=n)
        assert in_words(last.take(1000)[0]) == feed.passed[max(len(feed.passed) - n, 0) :]
        feed.end()
        assert in_words(last.take(1000)[0]) == feed.passed[len(feed.passed) - len(unfinished) :]


def test_a_pipes_end_ends_its_line() -> None:
    feed = Feed("app")
    feed.put("app", b"whole\nhalf")
    follower = feed.rings.follow()
    assert messages(follower.take(10)[0]) == ["whole"]
    feed.end()
    assert messages(follower.take(10)[0]) == ["half"]


def test_a_line_that_is_too_long_is_cut_as_the_pump_does() -> None:
    feed = Feed("app")
    for _ in range(5):
        feed.put("app", b"x" * 30_000)
    feed.put("app", b"y\n")
    lines = feed.rings.lines()
    assert in_words(lines) == feed.passed
    assert [len(line.message) for line in lines] == [90_000, 60_001]


def test_only_some_members_some_time_and_so_many() -> None:
    rings = Rings(["a", "b"])
    for number in range(100):
        put(rings, "ab"[number % 2], b"%d\n" % number)
    assert messages(rings.lines(["a"], n=2)) == ["96", "98"]
    assert messages(rings.lines(["none"])) == []
    assert messages(rings.lines(n=0)) == []
    middle = rings.by_member["a"].present[25].at
    found = rings.lines(since=middle)
    assert len(found) in range(2, 100)
    assert found == rings.lines()[-len(found) :]
    assert rings.lines(since=middle, n=3) == rings.lines(n=3)
    assert rings.lines(since=middle + 3600) == []


def test_the_previous_run_is_the_one_before() -> None:
    rings = Rings(["app"])
    assert rings.lines(previous=True) == []
    rings.new_run("app", 1)
    put(rings, "app", b"first\n", run=1)
    assert rings.lines(previous=True) == []
    rings.new_run("app", 2)
    assert messages(rings.lines(previous=True)) == ["first"]
    put(rings, "app", b"second\n", run=2)
    assert messages(rings.lines(previous=True)) == ["first"]
    put(rings, "app", b"third\n", run=3)  # it writes before anybody can say so
    rings.new_run("app", 3)
    assert messages(rings.lines(previous=True)) == ["second"]
    put(rings, "app", b"late\n", run=2)  # was still in its pipe
    assert messages(rings.lines(previous=True)) == ["second", "late"]
    assert messages(rings.lines()) == ["first", "second", "third", "late"]
    rings.new_run("app", 4)
    put(rings, "app", b"fourth\n", run=4)
    assert messages(rings.lines()) == ["first", "second", "third", "late", "fourth"]


def test_a_run_that_says_nothing_has_a_previous_one_too(tmp_path: Path) -> None:
    manifest = """
    restart = { initial = "10ms" }
    [sidecars.side]
    command = ["sh", "-c", "mkdir was 2>/dev/null && echo one; exec sleep inf"]
    on_failure = "restart"
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        client = Client(f"{group.run}/control.sock")
        assert client.logs(previous=True) == []
        group.kill("side")
        group.read_until("side restarts")
        group.read_until("side is ready")
        assert messages(client.logs(previous=True)) == ["one"]


def test_a_flood_leaves_the_last_words_of_the_run_before() -> None:
    rings = Rings(["app"])
    for number in range(100_000):
        put(rings, "app", b"%d\n" % number, run=1)
    for _ in range(100):
        put(rings, "app", b"flood\n" * 10_000, run=2)
    previous = messages(rings.lines(previous=True))
    assert previous[-1] == "99999"
    assert len(previous) > 1000
    assert rings.by_member["app"].present.weight >= sizes.MOST // 3


def test_a_follower_that_was_too_slow_learns_how_much_it_missed() -> None:
    rings = Rings(["slow", "quiet"])
    put(rings, "quiet", b"before\n")
    follower = rings.follow()
    total = 0
    for number in range(20_000):
        line = b"%05d\n" % number
        put(rings, "slow", line)
        total += len(line)
    put(rings, "quiet", b"after\n")
    lines, dropped = [], dict[str, int]()
    while (taken := follower.take(100))[0]:
        lines += taken[0]
        dropped |= taken[1]
    assert messages(lines)[0] == "before"
    assert messages(lines)[-1] == "after"
    assert dropped == {"slow": total - 6 * (len(lines) - 2)}
    put(rings, "slow", b"on\n")
    assert follower.take(100)[1] == {}


def test_a_follower_that_was_too_slow_in_the_middle_of_a_piece() -> None:
    rings = Rings(["app"])
    put(rings, "app", b"x\n" * 1000)
    follower = rings.follow()
    follower.take(10)
    for _ in range(100):
        put(rings, "app", b"y\n" * 10_000)
    lines, dropped = follower.take(100)
    assert {*messages(lines)} == {"y"}
    kept = sum(len(piece.data) for piece in rings.by_member["app"].present)
    assert dropped == {"app": rings.written("app") - 20 - kept}


def test_what_rolled_out_before_somebody_followed_is_not_missed() -> None:
    rings = Rings(["app"])
    for _ in range(100):
        put(rings, "app", b"y\n" * 10_000)
    assert rings.follow().take(1)[1] == {}
    assert rings.follow(n=3).take(9)[1] == {}
    follower = rings.follow(n=0)
    assert follower.take(9) == ([], {})
    put(rings, "app", b"z\n")
    lines, dropped = follower.take(9)
    assert messages(lines) == ["z"]
    assert dropped == {}


def test_a_clock_that_is_set_back_hides_nothing_that_comes() -> None:
    rings = Rings(["app"])
    put(rings, "app", b"old\n")
    follower = rings.follow(since=rings.by_member["app"].present[0].at + 3600)
    put(rings, "app", b"new\n")
    assert messages(follower.take(9)[0]) == ["new"]


def test_waking_is_once_for_each_that_waits() -> None:
    rings, woken = Rings(["app"]), list[int]()
    rings.wake = lambda: woken.append(rings.sequence)
    put(rings, "app", b"1\n")
    assert woken == []
    follower = rings.follow()
    assert follower.take(9)[0]
    put(rings, "app", b"2\n")
    assert woken == []
    assert follower.take(9)[0]
    assert not follower.take(9)[0]
    put(rings, "app", b"3\n")
    put(rings, "app", b"4\n")
    assert woken == [3]


def test_a_reader_comes_to_its_end_however_much_is_written() -> None:
    feed = Feed("app")
    feed.put("app", b"one\ntwo\nth")
    reader = feed.rings.read()
    seen = list[LogLine]()
    while found := reader.take(1)[0]:
        seen += found
        feed.put("app", b"ree\nmore")
    assert messages(seen) == ["one", "two", "th"]


def test_a_loop_that_is_over_costs_no_output() -> None:
    feed = Feed("app")

    def wake() -> None:
        raise RuntimeError

    feed.rings.wake = wake
    feed.rings.follow().take(1)
    feed.put("app", b"on\n")
    assert feed.passed == ["app stdout on"]


def test_members_come_and_go() -> None:
    rings = Rings(["stays", "goes"])
    all_of_them, named = rings.follow(), rings.follow(["stays", "goes"])
    put(rings, "goes", b"1\n")
    put(rings, "stays", b"2\n")
    rings.keep(["stays", "comes"])
    put(rings, "goes", b"3\n")
    put(rings, "comes", b"4\n")
    assert messages(named.take(9)[0]) == ["2"]
    assert messages(all_of_them.take(9)[0]) == ["2", "4"]
    rings.keep(["stays", "goes"])
    put(rings, "goes", b"5\n")
    assert messages(named.take(9)[0]) == messages(all_of_them.take(9)[0]) == ["5"]
    assert [rings.written(name) for name in ("goes", "stays", "comes", "none")] == [4, 2, 2, 0]


def test_a_take_is_bounded_in_bytes_too() -> None:
    rings = Rings(["app"])
    for _ in range(20):
        put(rings, "app", b"x" * 40_000 + b"\n")
    reader = rings.read()
    first = reader.take(1000)[0]
    assert len(first) in range(1, 10)
    assert len(first) + len(reader.take(1000)[0]) + len(reader.take(1000)[0]) == 20


@pytest.fixture
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def kept() -> int:
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.usefixtures("_traced")
@pytest.mark.parametrize("block", [b"x\n" * (1 << 15), b"x" * (1 << 16)], ids=["short", "endless"])
def test_200_mb_in_bounded_memory(block: bytes) -> None:
    rings, before = Rings([f"m{number}" for number in range(8)]), kept()
    follower = rings.follow()
    follower.take(1)
    for number in range((200 << 20) // len(block)):
        put(rings, f"m{number % 8}", bytes(bytearray(block)))
    assert sizes.BUDGET * 0.8 < kept() - before <= sizes.BUDGET
    assert sum(rings.written(name) for name in rings.by_member) == 200 << 20


@pytest.mark.usefixtures("_traced")
def test_tiny_pieces_in_bounded_memory() -> None:
    rings, before = Rings(["app"]), kept()
    for number in range(3 * sizes.MOST // OVERHEAD):
        put(rings, "app", b"%d\n" % number)
    assert sizes.MOST * 0.5 < kept() - before <= sizes.MOST


@pytest.mark.usefixtures("_traced")
def test_10_000_members_in_bounded_memory() -> None:
    before = kept()
    rings = Rings([f"m{number}" for number in range(10_000)])
    assert kept() - before < 10_000 * 3_000
    for name in rings.by_member:
        put(rings, name, bytes(1 << 16))
        put(rings, name, bytes(1 << 16))
    assert kept() - before <= 10_000 * (sizes.LEAST + 3_000)
    assert len(rings.lines(n=10)) == 10


def test_one_thread_writes_while_another_reads() -> None:
    """Every line is seen, whole and in order, or counted as lost."""
    rings = Rings(["app"])
    wanted = 20_000
    follower = rings.follow()

    def write() -> None:
        for number in range(wanted):
            put(rings, "app", b"%06d\n" % number)

    writer = threading.Thread(target=write)
    writer.start()
    seen, lost = 0, 0
    while seen + lost < wanted:
        lines, dropped = follower.take(50)
        lost += dropped.get("app", 0) // 7
        for line in lines:
            assert int(line.message) == seen + lost
            seen += 1
    writer.join(WITHIN)


def test_the_pump_keeps_what_it_reads() -> None:
    rings, outlet = Rings(["app"]), Taking()
    pump = Pump(None, rings)
    lead_to(pump, outlet)
    pump.start()
    pipe = pump.attach("app", "stderr", run=7)
    os.write(pipe, b"one\ntwo")
    os.close(pipe)
    pump.finish(WITHIN)
    lines = rings.lines()
    assert in_words(lines) == outlet.lines == ["app stderr one", "app stderr two"]
    assert {line.run for line in lines} == {7}
    assert rings.written("app") == 7
