"""Stdout, as far as one can know it: a terminal with a width and colours, or a pipe with neither.

What a terminal shows comes from members, their probes and their manifests: a control character in
it would be an order to the terminal, so it is shown as the text that stands for it. A pipe gets
what there is, as it is. Of the colours only those are used that read well on light and on dark.
"""

import os
import sys
from textwrap import wrap

STDOUT = 1
RED, GREEN, MAGENTA = 31, 32, 35
BOLD, DIM = 1, 2
CLEAR = "\r\x1b[2K"
USUAL = 80  # columns, where a terminal does not tell

# C0 but tab and newline, DEL, C1, and those that turn the direction of what follows.
_ORDERS = [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(8294, 8298)]
_VISIBLE = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _ORDERS}


class Screen:
    """Where a command writes: a terminal of so many columns, or a pipe, which has no end."""

    def __init__(self, columns: int | None = None, *, has_colour: bool = False) -> None:
        self.columns = columns
        self.has_colour = has_colour
        self._progress = ""

    @classmethod
    def of_stdout(cls) -> "Screen":
        if not os.isatty(STDOUT):
            return cls()
        columns = os.get_terminal_size(STDOUT).columns or USUAL
        return cls(columns, has_colour=has_colour())

    @property
    def is_terminal(self) -> bool:
        return self.columns is not None

    def text(self, text: str) -> str:
        """As it can be shown there."""
        return text.translate(_VISIBLE) if self.is_terminal else text

    def wrapped(self, text: str, indent: str = "") -> list[str]:
        """In lines that end where words do; a pipe has one."""
        shown = f"{indent}{self.text(text)}"
        if self.columns is None or width(shown) <= self.columns:
            return [shown]
        return wrap(shown, self.columns, subsequent_indent=indent)

    def paint(self, text: str, *codes: int) -> str:
        if not self.has_colour or not codes:
            return text
        return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m"

    def say(self, line: str) -> None:
        """A line of its own, above what is under way. It is shown as it is: see `text`."""
        sys.stdout.write(f"{self._cleared()}{line}\n")
        if self._progress:
            sys.stdout.write(self._progress)
        sys.stdout.flush()

    def progress(self, text: str) -> None:
        """What is under way, as the last line of a terminal; an empty text removes it."""
        if self.columns is not None:
            cleared = self._cleared()
            self._progress = cut(self.text(text), self.columns - 1)
            sys.stdout.write(cleared + self._progress)
            sys.stdout.flush()

    def _cleared(self) -> str:
        return CLEAR if self._progress else ""


def width(text: str) -> int:
    """In columns: some characters take two, and those that only mark others none."""
    if text.isascii():
        return len(text)
    return sum(map(_width_of, text))


def _width_of(character: str) -> int:
    import unicodedata  # noqa: PLC0415 - it takes milliseconds, and few need it

    if unicodedata.combining(character) or character in "\u200b\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """No wider than that; what is missing is marked."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…" if columns > 0 else ""


def has_colour() -> bool:
    """Whether the one in front of the terminal wants it (no-color.org), and the terminal can."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
