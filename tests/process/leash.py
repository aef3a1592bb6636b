"""A pipe by name that a tree of processes holds: at its end, every one of them is gone.

A program takes it with `exec 9>FIFO`, and all that descends from it has it, whatever it makes of
its session, parent or environment.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import eventually


class Leash:
    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    @property
    def is_held(self) -> bool:
        try:
            while piece := os.read(self.descriptor, 1 << 16):
                pass
        except BlockingIOError:
            return True
        return bool(piece)

    def let_go(self, within: float = 20.0) -> None:
        """Wait until nobody holds it."""
        eventually(lambda: not self.is_held, within)


@contextmanager
def leash(folder: Path) -> Iterator[Leash]:
    made = Leash(folder / "leash")
    yield made
    os.close(made.descriptor)
