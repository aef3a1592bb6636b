"""A process with all that descends from it, found and killed while it grows. The guard imports it.

A tree is a dict of start times by pid: together they say who is meant, should a pid be reused.
"""

import signal
from collections.abc import Callable, Iterable

from pairvisor.runtime import kernel

PASSES = 50  # to stop a tree that grows while it is being stopped

Tree = dict[int, int]


def descending_from(roots: Iterable[int]) -> Tree:
    """The roots and all their descendants that are there now, zombies too."""
    found: Tree = {}
    todo = list(roots)
    while todo:
        pid = todo.pop()
        started = kernel.start_time(pid)
        if started and pid not in found:
            found[pid] = started
            todo += kernel.children_of(pid)
    return found


def kill(find: Callable[[], Tree]) -> Tree:
    """Stop all that is found, again until no new one turns up, then kill all: no fork escapes."""
    stopped: Tree = {}
    for _ in range(PASSES):
        fresh = {pid: started for pid, started in find().items() if pid not in stopped}
        if not fresh:
            break
        for pid, started in fresh.items():
            kernel.send_to(pid, started, signal.SIGSTOP)
        stopped |= fresh
    for pid, started in stopped.items():
        kernel.send_to(pid, started, signal.SIGKILL)
    return stopped
