"""The terminal of `up`: members' lines behind coloured names, and a last line of progress.

All of it is written by the pump's thread, so lines never mix, and a terminal that does not take
them blocks nothing else.
"""

import os
import select

STDOUT = 1
CLEAR = b"\r\x1b[2K"
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
OWN = "pairvisor"


class Console:
    """A pump's sink. Colour and progress only where stdout is a terminal (and not NO_COLOR)."""

    def __init__(self, members: list[str]) -> None:
        self.is_terminal = os.isatty(STDOUT)
        self._has_colour = self.is_terminal and not os.environ.get("NO_COLOR")
        width = max(map(len, (*members, OWN)))
        self._prefixes = {
            name: self._prefix(name.ljust(width), COLOURS[i % len(COLOURS)])
            for i, name in enumerate(members)
        }
        self._own = self._prefix(OWN.ljust(width), 1)
        self._progress = b""
        self._shown = b""

    def _prefix(self, name: str, colour: int) -> bytes:
        text = f"\x1b[{colour}m{name} |\x1b[0m " if self._has_colour else f"{name} | "
        return text.encode()

    def lines(self, member: str, stream: str, lines: list[bytes]) -> None:
        prefix = self._prefixes[member]
        self._write(prefix + (b"\n" + prefix).join(lines) + b"\n")

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
