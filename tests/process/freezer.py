"""A cgroup of the first version's freezer: what is frozen in it takes no notice of SIGKILL.

It sleeps uninterruptibly (D) until it is thawed, as one does in a call to a disk that is gone
(Linux's admin-guide/cgroup-v1/freezer-subsystem.rst). In a frozen cgroup of v2 SIGKILL ends it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import eventually

MOUNT = Path("/sys/fs/cgroup/freezer")

needs_freezer = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(MOUNT / "cgroup.procs", os.W_OK),
    reason="needs root and the freezer of cgroup v1 at /sys/fs/cgroup/freezer",
)


class Freezer:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def freeze(self, *pids: int) -> None:
        for pid in pids:
            (self._folder / "cgroup.procs").write_text(str(pid))
        self._order("FROZEN")

    def thaw(self) -> None:
        self._order("THAWED")

    def _order(self, state: str) -> None:
        file = self._folder / "freezer.state"
        file.write_text(state)
        eventually(lambda: file.read_text().strip() == state)

    def is_empty(self) -> bool:
        return not (self._folder / "cgroup.procs").read_text()


@contextmanager
def freezer(name: str) -> Iterator[Freezer]:
    """What is in it when this ends is thawed, and has to end then."""
    folder = MOUNT / f"pairvisor-{name}-{os.getpid()}"
    folder.mkdir()
    made = Freezer(folder)
    try:
        yield made
    finally:
        made.thaw()
        eventually(made.is_empty)
        folder.rmdir()
