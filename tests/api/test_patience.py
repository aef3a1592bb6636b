"""A wait of any length, and signals that come in the wrong microsecond.

`interrupt_main` is that microsecond for as long as one likes: Python has noted the signal, and no
system call is interrupted by it.
"""

import os
import signal
import socket
import tempfile
import threading
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from time import monotonic

import pytest

from pairvisor.api.client import Client
from pairvisor.api.patience import await_readable
from tests.api.test_client import OK
from tests.support import eventually


def waits(thread: int) -> bool:
    """Whether it is in a system call, and not for Python's own lock."""
    task = Path(f"/proc/self/task/{thread}")
    is_asleep = task.joinpath("stat").read_text().rpartition(") ")[2][0] == "S"
    return is_asleep and "futex" not in task.joinpath("wchan").read_text()


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Once this thread waits, another does that."""
    this = threading.get_native_id()

    def run() -> None:
        eventually(lambda: waits(this))
        act()

    other = threading.Thread(target=run)
    other.start()
    try:
        yield
    finally:
        other.join()


@pytest.mark.parametrize("within", [inf, 1e9])
def test_an_interrupt_ends_the_following_whenever_it_comes(within: float) -> None:
    with tempfile.TemporaryDirectory(prefix="pv") as folder, socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{folder}/control.sock")
        one.listen()
        peers: list[socket.socket] = []

        def answer() -> None:
            peers.append(one.accept()[0])
            peers[0].sendall(OK + b"data: a\n\n")

        thread = threading.Thread(target=answer)
        thread.start()
        events = Client(f"{folder}/control.sock").follow("/v1/events", within)
        assert next(events) == ("message", b"a")
        thread.join()
        with peers[0], pytest.raises(KeyboardInterrupt), meanwhile(interrupt_main):
            next(events)


def test_a_signal_that_means_nothing_ends_no_wait() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    ours, theirs = socket.socketpair()

    def act() -> None:
        interrupt_main(signal.SIGUSR1)
        eventually(lambda: seen)
        theirs.send(b"a")

    with ours, theirs:
        with meanwhile(act):
            await_readable(ours.fileno())
        assert (seen, ours.recv(2)) == ([signal.SIGUSR1], b"a")
    signal.signal(signal.SIGUSR1, before)


def test_nobody_waits_for_longer_than_he_wants() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        until = monotonic() + 0.1
        with pytest.raises(TimeoutError):
            await_readable(ours.fileno(), until)
        assert monotonic() >= until
        theirs.send(b"a")
        await_readable(ours.fileno(), until)


def test_another_thread_may_wait_too_and_nothing_is_left() -> None:
    descriptors = sorted(os.listdir("/proc/self/fd"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        other = threading.Thread(target=await_readable, args=[ours.fileno()])
        other.start()
        theirs.send(b"a")
        other.join(20)
        assert not other.is_alive()
        await_readable(ours.fileno())
    assert sorted(os.listdir("/proc/self/fd")) == descriptors
    assert signal.set_wakeup_fd(-1) == -1
