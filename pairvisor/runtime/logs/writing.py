"""Descriptors that others share with us, written to without waiting for anybody."""

import os
import select
import socket
import stat
from collections.abc import Callable
from contextlib import suppress

Write = Callable[[memoryview], int]


def writer_of(descriptor: int) -> tuple[int, Write]:
    """A way to write there that raises BlockingIOError instead of waiting; the descriptor to watch.

    O_NONBLOCK belongs to the open file that we share with a shell or a neighbour in a pipeline, so
    it can't be set on theirs: we open the same thing once more.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):
        ours = socket.socket(fileno=os.dup(descriptor))
        return ours.fileno(), lambda data: ours.send(data, socket.MSG_DONTWAIT)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        how = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        with suppress(OSError):  # a terminal may be another user's, as below su(1)
            again = os.open(f"/proc/self/fd/{descriptor}", how)
            return again, lambda data: os.write(again, data)
        return descriptor, lambda data: _carefully(descriptor, data)
    return descriptor, lambda data: os.write(descriptor, data)


def _carefully(descriptor: int, data: memoryview) -> int:
    """Where the kernel has room for anything, it has room for that much."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(descriptor, data[: select.PIPE_BUF // 16])
