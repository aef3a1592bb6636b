"""The terminal of `up`: members' lines behind coloured names, and a last line of progress.

All of it is written by the pump's thread, so lines never mix, and a terminal that does not take
them blocks nothing else.
"""

import os
import select

STDOUT = 1
CLEAR = b"\r\x1b[2K"
COLOURS = (36, 32, 35, 33, 34, 95, 94)  # those that read well on light and on dark
OWN = "pairvisor"


class Console:
    """A pump's sink. Colour and progress only where stdout is a terminal (and not NO_COLOR)."""

    def __init__(self, members: list[str]) -> None:
        self.is_terminal = os.isatty(STDOUT)
        self._has_colour = self.is_terminal and not os.environ.get("NO_COLOR")
        self._width = max(map(len, (*members, OWN)))
        self._prefixes: dict[str, bytes] = {}
        self._own = self._prefix(OWN, 1)
        for name in members:
            self._prefix_of(name)
        self._progress = b""
        self._shown = b""

    def _prefix(self, name: str, colour: int) -> bytes:
        padded = name.ljust(self._width)
        text = f"\x1b[{colour}m{padded} |\x1b[0m " if self._has_colour else f"{padded} | "
        return text.encode()

    def _prefix_of(self, member: str) -> bytes:
        """One that a reload has added gets the next colour."""
        if member not in self._prefixes:
            colour = COLOURS[len(self._prefixes) % len(COLOURS)]
            self._prefixes[member] = self._prefix(member, colour)
        return self._prefixes[member]

    def lines(self, member: str, stream: str, text: bytes) -> None:
        prefix = self._prefix_of(member)
        self._write(prefix + text[:-1].replace(b"\n", b"\n" + prefix) + b"\n")

    def say(self, text: str) -> None:
        self._write(self._own + text.encode(errors="replace") + b"\n")

    def progress(self, text: str) -> None:
        """Replace the last line of the terminal; an empty text removes it."""
        if self.is_terminal:
            columns = os.get_terminal_size(STDOUT).columns
            self._progress = text.encode(errors="replace")[: columns - 1]
            self._write(b"")

    def _write(self, data: bytes) -> None:
        cleared = CLEAR + data if self._shown else data
        self._shown = self._progress
        _write_all(cleared + self._progress)


class Silence:
    """The sink of a group without a terminal: `pairvisor logs` has what its members write."""

    is_terminal = False

    def lines(self, member: str, stream: str, text: bytes) -> None:
        """Nobody is there."""

    def say(self, text: str) -> None:
        """As above: the events have it."""

    def progress(self, text: str) -> None:
        """As above."""


def _write_all(data: bytes) -> None:
    """Wait for as long as it takes; a reader that is gone takes nothing."""
    while data:
        try:
            data = data[os.write(STDOUT, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(STDOUT, select.POLLOUT)
            poll.poll()
        except OSError:
            return
