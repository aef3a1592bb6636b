"""What the members use: processor time, memory, processes; read when somebody asks.

Read from /proc/PID/stat, one file a process, which the trees are found by anyhow: psutil would
read three, and be imported for it.
"""

import os
from time import monotonic

from msgspec import Struct

from pairvisor.runtime import kernel
from pairvisor.runtime.children import Children

FRESH = 0.2  # seconds in which figures are not read again, however many ask
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage(Struct):
    """Of all live processes of one member."""

    cpu_seconds: float = 0.0
    memory: int = 0  # bytes that are resident; what processes share is counted in each
    processes: int = 0


class Figures:
    """The latest look at all members."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._looked = -FRESH
        self._by_member: dict[str, Usage] = {}

    def by_member(self) -> dict[str, Usage]:
        """Of those that have a main process. Where nothing can be opened, what was seen last."""
        if monotonic() - self._looked >= FRESH:
            self._by_member = {
                owner: _usage(tree) for owner, tree in self._children.running().items()
            }
            self._looked = monotonic()
        return self._by_member


def _usage(tree: dict[int, int]) -> Usage:
    usage = Usage()
    for pid in tree:
        ticks, pages = kernel.usage(pid)
        usage.cpu_seconds += ticks / TICKS
        usage.memory += pages * PAGE
        usage.processes += 1
    return usage
