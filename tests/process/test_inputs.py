"""A reader's standard input, over the ends of its processes: nothing is lost or comes twice."""

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairvisor.runtime.logs.feed import Input
from pairvisor.runtime.logs.outlet import Account, Lost, Unread
from pairvisor.runtime.logs.pipes import CAPACITY, pipe_to_reader
from tests.process.pumping import Keeping

LIMIT = 1 << 20


class Reading:
    """A reader whose processes begin and end."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.keeping = Keeping()
        self.input = Input("ship", self.keeping)
        self.account = Account("app", limit, drops=False)
        self.process = -1

    def begin(self) -> None:
        self.process, ours = pipe_to_reader()
        os.set_blocking(self.process, False)
        self.input.begin(ours, 1)

    def die(self) -> None:
        os.close(self.process)
        self.process = -1

    def put(self, data: bytes) -> None:
        self.input.put(self.account, data)

    def read(self, size: int = 1 << 20) -> bytes:
        """Once; b"" at the end, and where nothing is there."""
        try:
            data = os.read(self.process, size)
        except BlockingIOError:
            return b""
        self.input.flush()
        return data

    def read_all(self) -> bytes:
        return b"".join(iter(self.read, b""))

    def close(self) -> None:
        self.input.close()
        if self.process >= 0:
            os.close(self.process)


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_what_came_before_it_ran_waits_for_it(reading: Reading) -> None:
    reading.put(b"one\n")
    reading.begin()
    reading.put(b"two\n")
    assert reading.read_all() == b"one\ntwo\n"
    assert reading.account.pending == 0


def test_what_a_process_has_not_read_is_for_the_next(reading: Reading) -> None:
    reading.begin()
    reading.put(b"one\ntwo\n")
    reading.put(b"three\n")
    assert reading.read(4) == b"one\n"
    reading.die()
    reading.put(b"four\n")
    reading.begin()
    assert reading.read_all() == b"two\nthree\nfour\n"


def test_a_line_that_was_read_by_half_comes_again_as_a_whole(reading: Reading) -> None:
    reading.begin()
    reading.put(b"one\ntwo\nthree\n")
    reading.read(6)
    reading.die()
    reading.begin()
    assert reading.read_all() == b"two\nthree\n"


def test_one_that_is_written_by_half_too(reading: Reading) -> None:
    reading.begin()
    reading.put(b"x" * (2 * CAPACITY) + b"\n")
    assert reading.keeping.watched
    assert len(reading.read(100)) == 100
    reading.die()
    reading.begin()
    assert reading.read_all() == b"x" * (2 * CAPACITY) + b"\n"


def test_a_line_that_came_in_parts_comes_again_as_a_whole(reading: Reading) -> None:
    """Of a writer that was killed within it, say, and of the next one."""
    reading.begin()
    for part in (b"one\nt", b"w", b"o\n"):
        reading.put(part)
    reading.read(7)
    reading.die()
    reading.begin()
    assert reading.read_all() == b"two\n"


def test_an_unfinished_line_that_was_read_comes_again_with_its_end(reading: Reading) -> None:
    reading.begin()
    reading.put(b"one\ntw")
    assert reading.read() == b"one\ntw"
    reading.die()
    reading.put(b"o\n")
    reading.begin()
    assert reading.read_all() == b"two\n"


def test_an_unfinished_line_at_the_end_has_been_read(reading: Reading) -> None:
    reading.begin()
    reading.put(b"one\ntw")
    reading.input.end(lambda: None)
    assert reading.read_all() == b"one\ntw"
    reading.die()
    reading.input.leave()
    reading.input.abandon()
    assert reading.keeping.facts == []


def test_all_that_was_read_does_not_come_again(reading: Reading) -> None:
    reading.begin()
    reading.put(b"one\n")
    assert reading.read() == b"one\n"
    reading.die()
    reading.begin()
    assert reading.read() == b""


@given(st.integers(0, 1 << 32))
@settings(deadline=None, max_examples=60)
def test_over_many_ends(seed: int) -> None:
    """Whoever reads whole lines only, and forgets a half one, has each line once."""
    random, reading = Random(seed), Reading()
    written, seen, half = b"", b"", b""
    for number in range(200):
        match random.choice("pppprrrkb"):
            case "p":
                lines = random.randint(1, 30)
                data = b"".join(
                    b"%d.%d %s\n" % (number, line, b"x" * random.randint(0, 20_000))
                    for line in range(lines)
                )
                if not reading.input.is_full(reading.account):
                    written += data
                    reading.put(data)
            case "r" if reading.process >= 0:
                half += reading.read(random.choice([1, 7, 1000, 65536, 1 << 20]))
                whole, newline, half = half.rpartition(b"\n")
                seen += whole + newline
            case "k" if reading.process >= 0:
                reading.die()
                half = b""
            case _ if reading.process < 0:
                reading.begin()
            case _:
                pass
    if reading.process < 0:
        reading.begin()
    seen += half + reading.read_all()
    assert seen == written
    assert reading.account.pending == 0
    reading.close()


def test_what_it_keeps_is_bounded(reading: Reading) -> None:
    reading.begin()
    line = b"x" * 999 + b"\n"
    for _ in range(10_000):
        reading.put(line)
        reading.read()
    kept = sum(len(data) for _, data in reading.input._sent)
    assert kept <= CAPACITY + len(line)


def test_a_writer_has_to_wait_only_for_one_that_will_read(reading: Reading) -> None:
    for _ in range(20):
        reading.put(b"x" * 99_999 + b"\n")
    assert reading.input.is_full(reading.account)
    reading.input.leave()
    assert not reading.input.is_full(reading.account)
    assert reading.input.refuses(reading.account)
    reading.begin()
    assert not reading.input.refuses(reading.account)
    assert reading.read_all().count(b"\n") == 20


def test_one_that_closes_its_input_is_told_of(reading: Reading) -> None:
    reading.begin()
    os.close(reading.process)
    reading.process = -1
    reading.put(b"one\n")
    reading.put(b"two\n")
    assert reading.keeping.facts == [Unread("ship", 1)]
    assert not reading.keeping.watched
    reading.begin()
    assert reading.read_all() == b"one\ntwo\n"


def test_its_end_comes_behind_all_that_was_written(reading: Reading) -> None:
    ended: list[bool] = []
    reading.begin()
    reading.put(b"x" * (2 * CAPACITY) + b"\n")
    reading.input.end(lambda: ended.append(True))
    assert len(reading.read_all()) == 2 * CAPACITY + 1
    assert os.read(reading.process, 1) == b""  # the end, not merely nothing
    reading.input.flush()
    assert ended == [True]


def test_who_leaves_something_in_its_pipe_is_not_through(reading: Reading) -> None:
    ended: list[bool] = []
    reading.begin()
    reading.put(b"one\ntwo\n")
    reading.input.end(lambda: ended.append(True))
    reading.read(4)
    reading.input.flush()
    assert ended == []
    assert reading.input.retry_at < float("inf")
    reading.die()
    reading.begin()
    assert reading.read_all() == b"two\n"


def test_the_end_of_one_that_nobody_reads_is_there_at_once(reading: Reading) -> None:
    ended: list[bool] = []
    reading.put(b"one\n")
    reading.input.end(lambda: ended.append(True))
    assert ended == [True]


def test_nobody_looks_into_the_pipe_of_one_that_is_over(reading: Reading) -> None:
    reading.put(b"one\n")
    reading.begin()
    reading.input.end(lambda: None)
    reading.die()
    assert reading.input.retry_at < float("inf")
    reading.input.leave()
    assert reading.input.retry_at == float("inf")


def test_what_nobody_will_read_is_counted(reading: Reading) -> None:
    reading.begin()
    reading.put(b"one\ntwo\nthree\n")
    reading.read(5)
    reading.die()
    reading.input.abandon()
    assert reading.keeping.facts[-1] == Lost("app", "ship", 2)


@pytest.fixture(autouse=True)
def no_descriptor_is_left(reading: Reading) -> object:
    before = os.listdir("/proc/self/fd")
    yield
    reading.close()
    assert len(os.listdir("/proc/self/fd")) == len(before)
