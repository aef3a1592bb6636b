"""Pipes, beyond what `os` has."""

import fcntl
import os
import struct
import termios
from contextlib import suppress

CAPACITY = 1 << 18  # bytes, of one to a reader


def pipe_to_reader() -> tuple[int, int]:
    """Its end, and ours. Raises OSError."""
    read, write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(write, False)
    enlarge(write, CAPACITY)
    return read, write


def enlarge(pipe: int, size: int) -> None:
    """As far as we may: a user's pipes together are limited, as pipe(7) has it."""
    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size)


def unread(pipe: int) -> int:
    """Bytes in it, by either of its ends."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0])
