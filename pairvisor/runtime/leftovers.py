"""What an earlier life of a group has left, because its end was sudden: processes, cgroups, mounts.
All of it is swept before the next one begins.

Where there was no cgroup, a process is known by the PAIRVISOR_RUN in its environment; one that has
cleared that, and whose supervisor and guard were both killed, is not found.
"""

import os
import select
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic

from pairvisor.runtime import cgroup, kernel, mounts, trees

PATIENCE = 5.0  # seconds for what was killed to be gone


def sweep(run: str, recorded: str, within: float = PATIENCE) -> None:
    """`run` is the group's runtime folder, which is locked; `recorded` its cgroup of then.

    So many seconds are waited for what can't be killed, in its cgroup and elsewhere.
    """
    if recorded:
        cgroup.sweep(recorded, within)
    if os.listdir(run) != ["lock"]:
        _end_strays(run, within)
    mounts.unmount(run)


def _end_strays(run: str, within: float) -> None:
    killed = trees.kill(lambda: trees.descending_from(_strays(run)))
    deadline = monotonic() + within
    for pid, started in killed.items():
        _await(pid, started, deadline)


def _await(pid: int, started: int, deadline: float) -> None:
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            if kernel.start_time(pid) == started:
                select.select([pidfd], [], [], max(deadline - monotonic(), 0))
        finally:
            os.close(pidfd)


def _strays(run: str) -> list[int]:
    """Processes that were started for that folder, but for those that we descend from."""
    wanted = os.fsencode(f"PAIRVISOR_RUN={run}")
    spared = set(_line())
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    return [pid for pid in pids if pid not in spared and wanted in _environ(pid)]


def _line() -> Iterator[int]:
    """Ourselves, our parent, and so on: a shell in a member, say, that outlived its group."""
    pid = os.getpid()
    while pid:
        yield pid
        pid = kernel.parent(pid)


def _environ(pid: int) -> list[bytes]:
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        return file.read(1 << 20).split(b"\0")
    return []
