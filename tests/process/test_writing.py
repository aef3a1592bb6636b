"""Writing to what others share with us: a pipe, a terminal, a socket, a file."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from pairvisor.runtime.logs.writing import Write, writer_of


def fill(write: Write) -> int:
    """Until it takes no more; how much that was."""
    taken = 0
    with suppress(BlockingIOError):
        while True:
            taken += write(memoryview(b"x" * 100_000))
    return taken


def pipe() -> tuple[int, int]:
    read, write = os.pipe()
    return write, read


def terminal() -> tuple[int, int]:
    ours, theirs = os.openpty()
    return theirs, ours


def unix_socket() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return theirs.detach(), ours.detach()


@pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("make", [pipe, terminal, unix_socket])
def test_it_never_waits(make: Callable[[], tuple[int, int]]) -> None:
    shared, other = make()
    watched, write = writer_of(shared)
    assert os.get_blocking(shared)
    assert fill(write) > 0
    assert os.read(other, 1) == b"x"
    for descriptor in {shared, other}:
        os.close(descriptor)
    if make is not unix_socket:  # Python closes that
        os.close(watched)


def test_one_that_can_not_be_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    shared, other = pipe()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        watched, write = writer_of(shared)
    assert watched == shared
    assert 50_000 < fill(write) <= 65536
    for descriptor in (shared, other):
        os.close(descriptor)
