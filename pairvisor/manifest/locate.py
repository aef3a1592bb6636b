"""Where a key stands in a TOML text. tomllib keeps no positions, and these are for messages only.

The text has been accepted by tomllib, so this scanner only has to find its way, not to judge:
it skips values and notes the offset of each key and of each element of a list.
"""

import re
import tomllib
from bisect import bisect_right

Key = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY_PART = re.compile(r"[ \t]*(\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_DEEPEST = 10  # parts of a key: no manifest has more, and each costs as much as all above it
_SCALAR = re.compile(r"[^,\]}\n#]*")


class Lines:
    """The line of each key in a text."""

    def __init__(self, text: str) -> None:
        self._offsets = _Scanner(text).scan()
        self._starts = [0] + [match.end() for match in re.finditer("\n", text)]

    def find(self, key: Key) -> tuple[int, int]:
        """How many parts of the key's path are there, and the line of the last, from 1; or 0, 0."""
        while key and key not in self._offsets:
            key = key[:-1]
        return len(key), bisect_right(self._starts, self._offsets[key]) if key else 0


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._offsets: dict[Key, int] = {}
        self._lengths: dict[Key, int] = {}  # of arrays of tables, so far

    def scan(self) -> dict[Key, int]:
        table: Key = ()
        try:
            while self._skip_blank() < len(self._text):
                if self._text[self._at] == "[":
                    table = self._header()
                else:
                    self._pair(table)
        except (RecursionError, AttributeError, IndexError):
            pass  # not as tomllib reads it: what was found till here has to do
        return self._offsets

    def _skip_blank(self) -> int:
        return self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _header(self) -> Key:
        start = self._at
        of_array = self._text.startswith("[[", start)
        self._at += 2 if of_array else 1
        *outer, last = self._key()
        self._at += 2 if of_array else 1
        table = self._note(self._inside(()), outer, start)
        key = _below(table, last)
        self._offsets.setdefault(key, start)
        if not of_array:
            return self._inside(key)
        self._lengths[key] = self._lengths.get(key, 0) + 1
        key = self._inside(key)
        self._offsets[key] = start
        return key

    def _note(self, table: Key, parts: list[str], offset: int) -> Key:
        for part in parts:
            table = _below(table, part)
            self._offsets.setdefault(table, offset)
            table = self._inside(table)
        return table

    def _inside(self, key: Key) -> Key:
        """The key's last element so far if it is an array of tables, else the key."""
        return (*key, self._lengths[key] - 1) if key in self._lengths else key

    def _key(self) -> list[str]:
        parts = []
        while True:
            match = _KEY_PART.match(self._text, self._at)
            parts.append(_unquoted(match[1]))  # type: ignore[index]  # caught in scan
            self._at = match.end()  # type: ignore[union-attr]
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _pair(self, table: Key) -> None:
        offset = self._at
        key = self._note(table, self._key(), offset)
        self._at += 1  # the equals sign
        self._skip_blank()
        self._value(key)

    def _value(self, key: Key) -> None:
        first = self._text[self._at]
        if first == "[":
            self._array(key)
        elif first == "{":
            self._inline_table(key)
        else:
            self._skip(_STRING if first in "\"'" else _SCALAR)

    def _array(self, key: Key) -> None:
        self._at += 1
        index = 0
        while self._text[self._skip_blank()] != "]":
            if self._text[self._at] == ",":
                self._at += 1
                continue
            element = _below(key, index)
            self._offsets.setdefault(element, self._at)
            self._value(element)
            index += 1
        self._at += 1

    def _inline_table(self, key: Key) -> None:
        self._at += 1
        while self._text[self._skip_blank()] != "}":
            if self._text[self._at] == ",":
                self._at += 1
            else:
                self._pair(key)
        self._at += 1


def _below(key: Key, part: str | int) -> Key:
    return (*key, part) if len(key) < _DEEPEST else key


def _unquoted(part: str) -> str:
    if part.startswith("'"):
        return part[1:-1]
    # TOML's escapes are not Python's, so TOML's reader undoes them.
    return str(tomllib.loads(f"key = {part}")["key"]) if part.startswith('"') else part
