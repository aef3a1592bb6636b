"""Whether the kernel has killed for want of memory: told by counters that only it raises.

A count says that it happened, not to whom. It is said only of a SIGKILL that nobody is known to
have sent, and of a kill since the last look.
"""

from contextlib import suppress

CGROUP = "/proc/self/cgroup"
MOUNT = "/sys/fs/cgroup"
VMSTAT = "/proc/vmstat"


class Oom:
    """Asked when a member was killed by a SIGKILL that we did not send."""

    def __init__(self, cgroup: str = CGROUP, mount: str = MOUNT, vmstat: str = VMSTAT) -> None:
        # Of two files the counts can't be compared: it stays with the first that has one.
        files = [*_events_of(cgroup, mount), vmstat]
        self._file = next((file for file in files if _count(file) is not None), vmstat)
        self._seen = _count(self._file)

    def happened(self) -> bool:
        """Whether there was one since the last look; of our own cgroup where that is known."""
        before, now = self._seen, _count(self._file)
        if now is not None:
            self._seen = now
        return before is not None and now is not None and now > before


def _count(file: str) -> int | None:
    """None where nothing is known."""
    with suppress(OSError, ValueError), open(file) as lines:
        for line in lines:
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None


def _events_of(cgroup: str, mount: str) -> list[str]:
    """`memory.events` of our own cgroup v2, which counts those of all below it."""
    with suppress(OSError), open(cgroup) as lines:
        return [f"{mount}{line[3:].rstrip()}/memory.events" for line in lines if line[:3] == "0::"]
    return []
