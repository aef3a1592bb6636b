"""Waits for as long as it takes, and not a moment longer once somebody presses Ctrl-C.

A signal's handler only makes a note, at which Python looks between two steps of its own; a system
call that waits is interrupted by it. A signal that comes in the microseconds between the last look
and the call interrupts nothing, and a call that waits for a group's next event may wait for months.
So the wait is for one descriptor more, to which Python writes with each such note.
"""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil, inf
from time import monotonic

NOTES = 64  # bytes, one for a signal
LONGEST = 86_400.0  # seconds of one poll(2), which has an int of milliseconds


def await_readable(descriptor: int, until: float = inf) -> None:
    """Until something has come there, or its other end is closed.

    Raises TimeoutError once it is later than that by the monotonic clock, and what signals'
    handlers raise.
    """
    with _notes() as notes:
        poll = select.poll()
        poll.register(notes, select.POLLIN)
        poll.register(descriptor, select.POLLIN)
        while descriptor not in (found := dict(poll.poll(_milliseconds(until)))):
            if notes in found:
                os.read(notes, NOTES)  # of a signal whose handler has raised nothing
            elif monotonic() >= until:
                raise TimeoutError


def _milliseconds(until: float) -> int:
    """As poll takes them: never less than there are left, as that would be to turn in a circle."""
    return ceil(min(max(until - monotonic(), 0), LONGEST) * 1000)


@contextmanager
def _notes() -> Iterator[int]:
    """What becomes readable when Python makes a note of a signal."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before: int | None = None
    try:
        with suppress(ValueError):  # not the main thread, and so none that handlers are called in
            before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        yield read
    finally:
        if before is not None:
            signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)
