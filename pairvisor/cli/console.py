"""The terminal of `up`: members' lines behind coloured names, and a last line of progress.

It is made and written on the pump's thread, so lines never mix.
"""

import os
import re

from pairvisor.runtime.logs.lines import Lines, wrapped

STDOUT = 1
CLEAR = b"\r\x1b[2K"
RESET = b"\x1b[0m"
COLOURS = (36, 32, 35, 33, 34, 95, 94)  # those that read well on light and on dark
OWN = "pairvisor"

# A colour, which may pass; or else a control character of ASCII but tab, or one of C1 in UTF-8.
_ORDER = re.compile(rb"\x1b\[[0-9;:]*m|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


class Console:
    """A pump's view. Colour and progress only where stdout is a terminal (and not NO_COLOR)."""

    def __init__(self, members: list[str], *, is_terminal: bool) -> None:
        self.is_terminal = is_terminal
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

    def lines(self, lines: Lines) -> bytes:
        text = self._shown_as(lines.text.removesuffix(b"\n")) + b"\n"
        return self._above_progress(wrapped(text, self._prefix_of(lines.member)))

    def _shown_as(self, text: bytes) -> bytes:
        """To a terminal, colours are all the orders that a member may give."""
        if not self.is_terminal or not _ORDER.search(text):
            return text
        return b"\n".join(map(_harmless, text.split(b"\n")))

    def say(self, text: str) -> bytes:
        return self._above_progress(self._own + text.encode(errors="replace") + b"\n")

    def progress(self, text: str) -> bytes:
        """Replace the last line of the terminal; an empty text removes it."""
        if not self.is_terminal:
            return b""
        columns = os.get_terminal_size(STDOUT).columns
        self._progress = text.encode(errors="replace")[: columns - 1]
        return self._above_progress(b"")

    def _above_progress(self, data: bytes) -> bytes:
        cleared = CLEAR + data if self._shown else data
        self._shown = self._progress
        return cleared + self._progress


def _harmless(line: bytes) -> bytes:
    """What colours it begins end with the line, and other orders are shown as text."""
    shown = _ORDER.sub(_visible, line)
    return shown + RESET if b"\x1b" in shown else shown


def _visible(match: re.Match[bytes]) -> bytes:
    order = match[0]
    if order.startswith(b"\x1b["):
        return order
    return "".join(f"\\x{byte:02x}" for byte in order).encode()
