"""Brings the terminal of a command that runs in a group to the one that we are on.

The command has a terminal of its own, the other end of a pair of ours (pty(7)): its keys are its
signals, and it can ask how large its window is. What is typed here goes there, what it writes comes
here, and so does each change of size. Our own terminal is raw meanwhile, so that every key gets
through, and is restored whatever happens.

Nothing blocks but one wait for all of it: a terminal that takes nothing for a while must not keep a
signal or the end from being seen.
"""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from pairvisor.runtime import kernel

IN, OUT = 0, 1
PIECE = 1 << 16
HANDLED = {signal.SIGWINCH, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}


class Answer(Protocol):
    """What comes when the command has ended."""

    def fileno(self) -> int:
        """Readable when something of it has come."""

    def advance(self) -> bool:
        """Take what has come; whether that is all."""


def is_possible() -> bool:
    """Whether we are on a terminal."""
    return os.isatty(IN) and os.isatty(OUT)


@contextmanager
def pair() -> Iterator[tuple[int, int]]:
    """A terminal like the one that we are on: our end, and the command's, for one who closes it."""
    ours, theirs = os.openpty()
    try:
        termios.tcsetattr(theirs, termios.TCSANOW, termios.tcgetattr(IN))
        termios.tcsetwinsize(theirs, termios.tcgetwinsize(OUT))
        os.set_blocking(ours, False)
        yield ours, theirs
    finally:
        os.close(ours)


@contextmanager
def raw() -> Iterator[int]:
    """Every key of ours is a mere byte; the signals that would end us come by the descriptor."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    before = termios.tcgetattr(IN)
    try:
        tty.setraw(IN, termios.TCSANOW)
        yield kernel.signal_descriptor(HANDLED)
    finally:
        with suppress(termios.error):  # it may be gone
            termios.tcsetattr(IN, termios.TCSANOW, before)


class Relay:
    """Between our terminal and our end of the command's."""

    def __init__(self, pty: int, answer: Answer, signals: int) -> None:
        self._pty = pty
        self._answer = answer
        self._signals = signals
        self._in = _opened_anew(IN, os.O_RDONLY)
        self._out = _opened_anew(OUT, os.O_WRONLY)
        self._typed = b""
        self._written = b""
        self._is_open = True  # somebody has the other end
        self._is_over = False

    def run(self) -> None:
        """Until the answer has come. SystemExit on a signal, and when our terminal is gone."""
        serve = {
            self._signals: self._take_signals,
            self._answer.fileno(): self._take_answer,
            self._in: self._read_in,
            self._out: self._write_out,
            self._pty: self._serve_pty,
        }
        while not self._is_over or self._written:
            for descriptor in self._ready():
                serve[descriptor]()

    def _ready(self) -> list[int]:
        poll = select.poll()
        for descriptor, events in self._awaited().items():
            poll.register(descriptor, events)
        return [descriptor for descriptor, _ in poll.poll()]

    def _awaited(self) -> dict[int, int]:
        awaited = {self._signals: select.POLLIN}
        if not self._is_over:
            awaited[self._answer.fileno()] = select.POLLIN
        if len(self._typed) < PIECE:
            awaited[self._in] = select.POLLIN
        if self._written:
            awaited[self._out] = select.POLLOUT
        if self._is_open:
            may_read = select.POLLIN if len(self._written) < PIECE else 0
            awaited[self._pty] = may_read | (select.POLLOUT if self._typed else 0)
        return awaited

    def _take_signals(self) -> None:
        for signum in kernel.read_signals(self._signals):
            if signum != signal.SIGWINCH:
                sys.exit(128 + signum)
            with suppress(OSError, termios.error):
                termios.tcsetwinsize(self._pty, termios.tcgetwinsize(OUT))

    def _take_answer(self) -> None:
        self._is_over = self._answer.advance()
        # What the command wrote at last is in its terminal by now, and comes without waiting.
        while self._is_over and self._read_pty():
            pass

    def _read_in(self) -> None:
        try:
            piece = os.read(self._in, PIECE)
        except BlockingIOError:
            return
        except OSError:  # EIO: hung up
            piece = b""
        if not piece:
            sys.exit(128 + signal.SIGHUP)
        self._typed += piece

    def _write_out(self) -> None:
        with suppress(BlockingIOError):
            self._written = self._written[os.write(self._out, self._written) :]

    def _serve_pty(self) -> None:
        if len(self._written) < PIECE:
            self._read_pty()
        with suppress(OSError):  # it takes no more for now, or nobody has the other end
            self._typed = self._typed[os.write(self._pty, self._typed) :]

    def _read_pty(self) -> bool:
        """Whether there was anything."""
        try:
            piece = os.read(self._pty, PIECE)
        except BlockingIOError:
            return False
        except OSError:  # EIO: nobody has the other end any more
            self._is_open = False
            return False
        self._written += piece
        return bool(piece)


def _opened_anew(terminal: int, flags: int) -> int:
    """Only ours must not block: others share what we were started with, our shell for one.

    One that can't be opened, being another user's (su(1)), blocks while it takes nothing.
    """
    try:
        path = os.ttyname(terminal)
        return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return os.dup(terminal)
