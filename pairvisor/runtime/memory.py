"""Whether the kernel has killed for want of memory: told by counters that only it raises."""

from contextlib import suppress

CGROUP = "/proc/self/cgroup"
MOUNT = "/sys/fs/cgroup"
VMSTAT = "/proc/vmstat"


class Oom:
    """Asked when a member was killed by a SIGKILL that we did not send."""

    def __init__(self, cgroup: str = CGROUP, mount: str = MOUNT, vmstat: str = VMSTAT) -> None:
        self._files = [*_events_of(cgroup, mount), vmstat]
        self._seen = self._count()

    def happened(self) -> bool:
        """Whether there was one since the last look; of our own cgroup where that is known."""
        before, self._seen = self._seen, self._count()
        return self._seen > before

    def _count(self) -> int:
        for file in self._files:
            with suppress(OSError, ValueError), open(file) as lines:
                for line in lines:
                    name, _, count = line.partition(" ")
                    if name == "oom_kill":
                        return int(count)
        return 0


def _events_of(cgroup: str, mount: str) -> list[str]:
    """`memory.events` of our own cgroup v2, which counts those of all below it."""
    with suppress(OSError), open(cgroup) as lines:
        return [f"{mount}{line[3:].rstrip()}/memory.events" for line in lines if line[:3] == "0::"]
    return []
