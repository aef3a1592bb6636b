"""Cgroups of version 2: where ours are, and what is asked of them (cgroups(7), the kernel's
admin-guide/cgroup-v2.rst). Light: the guard imports it.

A group has a subtree of its own below the cgroup that its supervisor was started in:

    pairvisor-NAME-HASH/supervisor    the supervisor and its guard, where they had to make room
    pairvisor-NAME-HASH/members       the group's limits
                       /members/NAME  a member's limits
                  /members/NAME/main  its main process and all that descends from it
             /members/NAME/exec.3     a probe, a hook or a command that runs beside it
"""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from time import monotonic

from msgspec import Struct

from pairvisor.runtime import kernel

PREFIX = "pairvisor-"
MEMBERS = "members"
SUPERVISOR = "supervisor"
PROCS = "cgroup.procs"
PATIENCE = 5.0  # seconds for what was killed to be gone
IS_BOOTED = "run/systemd/system"  # sd_booted(3)


class Cgroup(Struct, frozen=True, kw_only=True):
    """Cgroup v2, as far as it is there for us."""

    mount: str = ""  # empty: it isn't mounted
    own: str = ""  # the folder of the cgroup that we are in
    is_writable: bool = False
    is_delegated: bool = False  # by systemd, which says so
    is_systemds: bool = False  # systemd rules all that it has not given away
    controllers: frozenset[str] = frozenset()

    @property
    def why_not(self) -> str:
        """Why we may not make cgroups below our own; empty where we may."""
        if not self.mount:
            return "cgroup v2 is not mounted"
        if not self.is_writable:
            return f"{self.own} is not this user's"
        # Root may write everywhere, but without leave it would write into systemd's own.
        if self.is_systemds and not self.is_delegated:
            return f"systemd has not delegated {self.own}"
        return ""

    @property
    def is_root(self) -> bool:
        """Whether it is the machine's topmost, which may have processes beside cgroups."""
        return not os.path.exists(f"{self.own}/cgroup.type")


def find_cgroup(root: str = "/") -> Cgroup:
    """The one that this process is in; `root` is where /proc and /sys are."""
    root = root.rstrip("/")
    mounts = [line.split() for line in read(f"{root}/proc/self/mountinfo").splitlines()]
    # proc_pid_mountinfo(5): the mount point is the fifth field, the type stands behind a hyphen.
    found = [fields[4] for fields in mounts if fields[fields.index("-") + 1] == "cgroup2"]
    lines = read(f"{root}/proc/self/cgroup").splitlines()
    ours = [line[3:] for line in lines if line.startswith("0::")]
    if not found or not ours:
        return Cgroup()
    mount = found[0]
    own = f"{mount}{ours[0]}".rstrip("/")
    here = f"{root}{own}"
    return Cgroup(
        mount=mount,
        own=own,
        is_writable=all(os.access(here + file, os.W_OK) for file in ("", f"/{PROCS}")),
        is_delegated=_is_delegated(here),
        is_systemds=os.path.isdir(f"{root}/{IS_BOOTED}") and os.geteuid() == 0,
        controllers=frozenset(read(f"{here}/cgroup.controllers").split()),
    )


def _is_delegated(cgroup: str) -> bool:
    """systemd marks what it has given away (systemd's CGROUP_DELEGATION.md)."""
    for name in ("trusted.delegate", "user.delegate"):
        with suppress(OSError):
            return os.getxattr(cgroup, name) == b"1"
    return False


def read(path: str) -> str:
    """What a file of the kernel says; empty where it is not there, or not for us."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write(path: str, text: str) -> None:
    """In one system call, as the kernel wants it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def count(path: str, key: str) -> int:
    """A number from a file of `KEY NUMBER` lines; 0 where there is none."""
    for line in read(path).splitlines():
        name, _, number = line.partition(" ")
        if name == key:
            return int(number)
    return 0


def pids_in(cgroup: str) -> list[int]:
    """Its own live processes."""
    return list(map(int, read(f"{cgroup}/{PROCS}").split()))


def pids(cgroup: str) -> list[int]:
    """Its processes and those of all below it."""
    return pids_in(cgroup) + [pid for each in _below(cgroup) for pid in pids(each)]


def is_populated(cgroup: str) -> bool:
    """Whether a live process is in it or below it; not where it is gone."""
    return count(f"{cgroup}/cgroup.events", "populated") > 0


def kill(cgroup: str) -> None:
    """SIGKILL all that is in it and below it, and what is forked meanwhile."""
    try:
        write(f"{cgroup}/cgroup.kill", "1")
    except FileNotFoundError:
        if os.path.exists(f"{cgroup}/{PROCS}"):  # Linux before 5.14
            _kill_each(cgroup)


def _kill_each(cgroup: str) -> None:
    """Frozen, they can't fork; killed, they are gone though frozen."""
    write(f"{cgroup}/cgroup.freeze", "1")
    try:
        for pid in pids(cgroup):
            kernel.send_to(pid, kernel.start_time(pid), signal.SIGKILL)
    finally:
        write(f"{cgroup}/cgroup.freeze", "0")


def remove(cgroup: str) -> bool:
    """Remove it with all below it, where nothing lives in them; whether it is gone."""
    for each in _below(cgroup):
        remove(each)
    with suppress(OSError):
        os.rmdir(cgroup)
    return not os.path.exists(cgroup)


def sweep(cgroup: str, within: float = PATIENCE) -> bool:
    """Kill what is left of a group in its subtree, and remove that; whether it is gone.

    So many seconds are waited for what can't be killed.
    """
    if not _is_ours(cgroup):
        return True
    members = f"{cgroup}/{MEMBERS}"
    end(members, within)
    remove(members)
    leave(cgroup)
    return remove(cgroup)


def _is_ours(cgroup: str) -> bool:
    """A path from a file is believed where it can be ours only."""
    name = os.path.basename(cgroup)
    is_there = os.path.isdir(cgroup) and os.path.realpath(cgroup) == cgroup
    return is_there and name.startswith(PREFIX) and os.path.exists(f"{cgroup}/{PROCS}")


def end(cgroup: str, within: float) -> None:
    """Kill what is in it and below it, and wait so many seconds for that."""
    with suppress(OSError):
        kill(cgroup)
        _wait_until_empty(cgroup, within)


def _wait_until_empty(cgroup: str, within: float) -> None:
    deadline = monotonic() + within
    with kernel.watching([f"{cgroup}/cgroup.events"]) as changed:
        while is_populated(cgroup) and monotonic() < deadline:
            changed(max(deadline - monotonic(), 0))


def enter_supervisor(cgroup: str, processes: Iterable[int]) -> None:
    """Make room above the members: a cgroup with controllers has no processes of its own.
    Raises OSError."""
    os.mkdir(f"{cgroup}/{SUPERVISOR}")
    for pid in processes:
        write(f"{cgroup}/{SUPERVISOR}/{PROCS}", str(pid))


def leave(cgroup: str) -> None:
    """Give back what `enter_supervisor` and `enable` have taken, as far as it can be."""
    parent = os.path.dirname(cgroup)
    with suppress(OSError):
        leaf = f"{cgroup}/{SUPERVISOR}"
        if inside := pids_in(leaf):
            given = read(f"{parent}/cgroup.subtree_control").split()
            if given and os.path.exists(f"{parent}/cgroup.type"):
                disable = " ".join(f"-{name}" for name in given)
                write(f"{cgroup}/cgroup.subtree_control", disable)
                write(f"{parent}/cgroup.subtree_control", disable)
            for pid in inside:
                write(f"{parent}/{PROCS}", str(pid))


def enable(cgroup: str, controllers: Iterable[str]) -> None:
    """Let those below it have the controllers. Raises OSError."""
    wanted = set(controllers) - set(read(f"{cgroup}/cgroup.subtree_control").split())
    if wanted:
        write(f"{cgroup}/cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(wanted)))


def _below(cgroup: str) -> Iterator[str]:
    with suppress(OSError), os.scandir(cgroup) as entries:
        yield from [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
