"""Collects what is wrong while a manifest is worked through, so that all of it is told at once."""

from collections.abc import Callable

from msgspec import Struct

from pairvisor.manifest.errors import Problem

Key = tuple[str | int, ...]


class Place(Struct, frozen=True):
    """Where a key is written, and what it is called there; line 0: it is not known."""

    file: str
    line: int
    key: Key


Locator = Callable[[Key], Place]


class Finding(Struct, frozen=True):
    key: Key
    message: str


class _Book(Struct):
    errors: list[Finding] = []
    warnings: list[Finding] = []
    elsewhere: list[Problem] = []
    excused: set[Key] = set()


class Report:
    """The findings beneath one key. `at` gives that of a key below; all share one book.

    What has been reported once is not reported again in other words: an error at a key, or below
    one, that already has an error is dropped, because it is likely to be the first one's effect.
    """

    __slots__ = ("_book", "key")

    def __init__(self, key: Key = (), book: _Book | None = None) -> None:
        self.key = key
        self._book = _Book() if book is None else book

    def at(self, *more: str | int) -> "Report":
        return Report(self.key + more, self._book)

    def error(self, message: str) -> None:
        if not self.is_excused():
            self._book.errors.append(Finding(self.key, message))
            self._book.excused.add(self.key)

    def warn(self, message: str) -> None:
        self._book.warnings.append(Finding(self.key, message))

    def excuse(self) -> None:
        """Let no more be said about this key: what is wrong with it has been said elsewhere."""
        self._book.excused.add(self.key)

    def in_file(self, file: str, line: int, message: str) -> None:
        """An error in another file than the manifest, such as an env file."""
        self.add([Problem(file, line, "", message)])

    def add(self, problems: list[Problem]) -> None:
        """Errors that are not about this manifest's keys; each once."""
        self._book.elsewhere += [p for p in problems if p not in self._book.elsewhere]

    def is_excused(self) -> bool:
        return any(self.key[:end] in self._book.excused for end in range(len(self.key) + 1))

    @property
    def failed(self) -> bool:
        return bool(self._book.errors or self._book.elsewhere)

    @property
    def warned(self) -> bool:
        return bool(self._book.warnings)

    def problems(self, find: Locator) -> list[Problem]:
        """All errors, by file and line."""
        return sorted(_placed(self._book.errors, find) + self._book.elsewhere)

    def warnings(self, find: Locator) -> list[Problem]:
        return sorted(_placed(self._book.warnings, find))


def _placed(found: list[Finding], find: Locator) -> list[Problem]:
    return [
        Problem(place.file, place.line, spelled(place.key), finding.message)
        for finding, place in ((f, find(f.key)) for f in found)
    ]


def spelled(key: Key) -> str:
    """A key path as TOML writes it: `sidecars.tls.after`, `primary.env."a b"`, `a[0].b`."""
    while key and isinstance(key[-1], int):
        key = key[:-1]  # the line is that of the element; its number would tell no more
    words = ""
    for part in key:
        if isinstance(part, int):
            words += f"[{part}]"
        else:
            words += ("." if words else "") + (part if _is_bare(part) else f'"{part}"')
    return words.replace("\n", "\\n")


def _is_bare(part: str) -> bool:
    return part.replace("-", "").replace("_", "").isalnum()
