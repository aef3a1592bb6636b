"""Our own stdout, where nobody may be reading, or somebody who has stopped the terminal."""

from collections.abc import Iterator
from typing import Protocol

from pairvisor.runtime.logs.lines import Data, Lines
from pairvisor.runtime.logs.outlet import Account, Keeper, Outlet
from pairvisor.runtime.logs.writing import writer_of

STDOUT = 1
OWN_WORDS = 1 << 20  # bytes of our own that may wait


class View(Protocol):
    """What is shown there, and how."""

    def lines(self, lines: Lines) -> bytes:
        """Members' lines."""

    def say(self, text: str) -> bytes:
        """A word of the supervisor's own."""

    def progress(self, text: str) -> bytes:
        """What is waited for; an empty text where nothing is."""


class Terminal(Outlet):
    """It may be a pipe or a file as well."""

    def __init__(self, view: View, keeper: Keeper) -> None:
        super().__init__("the terminal", keeper)
        self.view = view
        self._own = Account("", OWN_WORDS, drops=True)
        self._descriptor, self._write = writer_of(STDOUT)

    def lines(self, lines: Lines) -> Iterator[Data]:
        yield self.view.lines(lines)

    def say(self, text: str) -> None:
        self._put(self.view.say(text))

    def progress(self, text: str) -> None:
        self._put(self.view.progress(text))

    def _put(self, shown: bytes) -> None:
        if shown and not self.refuses(self._own):
            self.put(self._own, shown)

    def write(self, data: Data, start: int) -> int:
        """A reader that is gone takes all and keeps nothing."""
        try:
            return self._write(memoryview(data)[start:])
        except BlockingIOError:
            self._watch(self._descriptor)
            return 0
        except OSError:
            return len(data) - start
