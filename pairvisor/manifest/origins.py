"""Where each key of a manifest is written, by the files that the manifest is made of."""

from collections.abc import Mapping, Sequence

from pairvisor.manifest.group import Part
from pairvisor.manifest.locate import Lines
from pairvisor.manifest.report import Key, Place


class Origins:
    """`texts` are those of the files; one that is not among them is read when it is asked for."""

    def __init__(self, parts: Sequence[Part], texts: Mapping[str, str] | None = None) -> None:
        self._parts = parts
        self._texts = texts or {}
        self._lines: dict[str, Lines] = {}

    def find(self, key: Key) -> Place:
        """Of the files that have most of the key's path the last, as it is that one that counts."""
        best, place = -1, Place("", 0, key)
        for part in self._parts:
            if key[: len(part.outer)] != part.outer:
                continue
            own = (*part.inner, *key[len(part.outer) :])
            depth, line = self._lines_of(part.file).find(own)
            depth += len(part.outer) - len(part.inner)
            if depth >= best:
                best, place = depth, Place(part.file, line, own)
        return place

    def _lines_of(self, file: str) -> Lines:
        if file not in self._lines:
            self._lines[file] = Lines(self._texts[file] if file in self._texts else _read(file))
        return self._lines[file]


def _read(file: str) -> str:
    """It may be gone, or another by now: then there is no line to tell."""
    try:
        with open(file, encoding="utf-8-sig") as opened:
            return opened.read()
    except (OSError, ValueError):
        return ""
