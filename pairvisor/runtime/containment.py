"""What keeps a member's processes together, the best that the machine has for this group.

With `Sessions`, the fallback, a process that has left its member's session, parent and environment
behind is found when the group ends, not sooner. With `Cgroups` the kernel knows whose each process
is, kills them at one stroke, counts what they use and holds them to their limits; and the next
start finds what an earlier one has left, even if both the supervisor and its guard were killed.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from pairvisor.manifest.group import Group, Limits
from pairvisor.runtime import cgroup, kernel
from pairvisor.runtime.cgroup import MEMBERS, PROCS, SUPERVISOR, Cgroup

MAIN = "main"
PERIOD = 100_000  # microseconds: cpu.max's own
HIGH = 32  # memory.high is a part as small as this below the limit
LAST = 0.5  # seconds for what still runs beside the members when all of them are over
UNLIMITED = "max"
WEIGHT = 100  # io.weight's own


class Unmet(Struct, frozen=True):
    """A limit that can't be held here; `key` is where it stands in the manifest."""

    key: tuple[str, ...]
    why: str
    is_required: bool

    def __str__(self) -> str:
        return f"{'.'.join(self.key)} can't be held here: {self.why}"


class Contained(Struct, frozen=True):
    """What a containment hands over. Without `top` there are no cgroups."""

    why_not_better: str
    own: Cgroup = Cgroup()
    top: str = ""
    enabled: frozenset[str] = frozenset()
    out_of_memory: dict[str, int] = {}
    left: frozenset[str] = frozenset()


class Containment(Protocol):
    """An owner is a member's name, or MEMBER/WORD/NUMBER for what runs beside it."""

    kind: str
    why_not_better: str

    def adopt(self, group: Group) -> list[Unmet]:
        """Hold the group to its limits, and say which of them can't be. Raises OSError."""

    def place(self, owner: str) -> str:
        """The file to which a new process of this owner writes 0; empty: none. Raises OSError."""

    def owner_of(self, pid: int) -> str:
        """Empty where that is not known."""

    def kill(self, owner: str) -> set[int]:
        """SIGKILL all that is the owner's; the pids of those that are still alive."""

    def forget(self, owner: str) -> None:
        """Nothing of it is left, and it will not come back."""

    def out_of_memory(self, member: str) -> bool | None:
        """Whether the kernel has killed in it for want of memory since the last time that
        was asked; None: not known."""

    def listen(self) -> int:
        """A descriptor that can be read when what was killed somewhere has ended; -1: none."""

    def hand_over(self) -> Contained:
        """What another one needs to go on with it: see `take_over`."""

    def close(self) -> None:
        """The group is over."""


class Sessions:
    """Each process in a session of its own, below a subreaper."""

    kind = "session"

    def __init__(self, why_not_better: str = "") -> None:
        self.why_not_better = why_not_better

    def adopt(self, group: Group) -> list[Unmet]:
        return [
            Unmet((*key, name), self.why_not_better, limits.is_required)
            for key, limits in _all_limits(group)
            for name in limits.written
        ]

    def place(self, owner: str) -> str:
        return ""

    def owner_of(self, pid: int) -> str:
        return ""

    def kill(self, owner: str) -> set[int]:
        return set()

    def forget(self, owner: str) -> None:
        pass

    def out_of_memory(self, member: str) -> bool | None:
        return None

    def listen(self) -> int:
        return -1

    def hand_over(self) -> Contained:
        return Contained(self.why_not_better)

    def close(self) -> None:
        pass


def _all_limits(group: Group) -> list[tuple[tuple[str, ...], Limits]]:
    """All of the group's and its members', by where they stand in the manifest."""
    members = [((*m.key, "limits"), m.limits) for m in group.members.values()]
    return [(("limits",), group.limits), *members]


class Cgroups:
    """A cgroup for each member, in one of the group's own: see `cgroup`.

    One that can't be made or has vanished degrades nobody but who needs it for a limit; `complain`
    is told where and why, and with an empty reason that it is well again.
    """

    kind = "cgroup"
    why_not_better = ""

    def __init__(self, own: Cgroup, top: str, complain: Callable[[str, str], None]) -> None:
        self.top = top
        self._own = own
        self._complain = complain
        self._inside = f"{top.removeprefix(own.mount)}/{MEMBERS}/"
        self._limits: Mapping[str, Limits] = {}
        self._enabled: set[str] = set()
        self._out_of_memory: dict[str, int] = {}
        self._left: set[str] = set()  # of what runs no more, but could not be removed
        self._watch = -1

    @classmethod
    def make(cls, own: Cgroup, top: str, complain: Callable[[str, str], None]) -> "Cgroups":
        """Raises OSError."""
        os.mkdir(top)
        os.mkdir(f"{top}/{MEMBERS}")
        return cls(own, top, complain)

    def hand_over(self) -> Contained:
        return Contained(
            self.why_not_better,
            self._own,
            self.top,
            frozenset(self._enabled),
            dict(self._out_of_memory),
            frozenset(self._left),
        )

    def take_over(self, handed: Contained) -> None:
        self._enabled = set(handed.enabled)
        self._out_of_memory = dict(handed.out_of_memory)
        self._left = set(handed.left)

    def adopt(self, group: Group) -> list[Unmet]:
        self._limits = {m.name: m.limits for m in group.members.values()}
        every = _all_limits(group)
        why_not = self._enable({name for _, limits in every for name in limits.written})
        self._set(f"{self.top}/{MEMBERS}", group.limits)
        for member in group.members.values():
            if os.path.exists(self._of_member(member.name)):
                self._set(self._of_member(member.name), member.limits)
        return [
            Unmet((*key, name), why_not[name], limits.is_required)
            for key, limits in every
            for name in limits.written
            if name in why_not
        ]

    def _limits_of(self, member: str) -> Limits:
        """Of pairvisor's own processes, too: they have none."""
        return self._limits.get(member, Limits())

    def _of_member(self, member: str) -> str:
        return f"{self.top}/{MEMBERS}/{member}"

    def _leaf(self, owner: str) -> str:
        member, _, word = owner.partition("/")
        return f"{self._of_member(member)}/{word.replace('/', '.') or MAIN}"

    def _enable(self, wanted: set[str]) -> dict[str, str]:
        """Why not, by controller."""
        why_not = {
            name: f"{self._own.own} has no {name} controller"
            for name in wanted - self._own.controllers
        }
        fresh = wanted - why_not.keys() - self._enabled
        if fresh:
            try:
                self._make_room()
                for each in (self._own.own, self.top, f"{self.top}/{MEMBERS}"):
                    cgroup.enable(each, fresh)
            except OSError as error:
                reason = f"cannot give cgroups below {self._own.own} controllers: {error.strerror}"
                return why_not | dict.fromkeys(fresh, reason)
            self._enabled |= fresh
        if "io" in self._enabled and not os.path.exists(f"{self.top}/{MEMBERS}/io.weight"):
            return why_not | {"io": "the kernel weighs no disks (CONFIG_BLK_CGROUP_IOCOST)"}
        return why_not

    def _make_room(self) -> None:
        if self._own.is_root or os.path.exists(f"{self.top}/{SUPERVISOR}"):
            return
        ours = {os.getpid(), os.getppid()} & set(cgroup.pids_in(self._own.own))
        cgroup.enter_supervisor(self.top, ours)

    def _set(self, path: str, limits: Limits) -> None:
        for file, text in _settings(limits).items():
            if file.partition(".")[0] in self._enabled and os.path.exists(f"{path}/{file}"):
                cgroup.write(f"{path}/{file}", text)

    def place(self, owner: str) -> str:
        member = owner.partition("/")[0]
        leaf = self._leaf(owner)
        try:
            self._make(member, leaf)
        except OSError as error:
            self._complain(leaf, error.strerror or str(error))
            if self._limits_of(member).written:
                raise
            return ""
        return f"{leaf}/{PROCS}"

    def _make(self, member: str, leaf: str) -> None:
        path = self._of_member(member)
        if not os.path.exists(path):
            os.makedirs(path)
            self._set(path, self._limits_of(member))
            if "memory" in self._enabled:
                # One of several processes killed leaves a member that is neither dead nor well.
                cgroup.write(f"{path}/memory.oom.group", "1")
        with suppress(FileExistsError):
            os.mkdir(leaf)

    def owner_of(self, pid: int) -> str:
        path = kernel.cgroup_of(pid)
        if not path.startswith(self._inside):
            return ""
        member, leaf = path.removeprefix(self._inside).split("/")[:2]
        return member if leaf == MAIN else f"{member}/{leaf.replace('.', '/')}"

    def kill(self, owner: str) -> set[int]:
        leaf = self._leaf(owner)
        if not cgroup.is_populated(leaf):
            return set()
        if self._watch >= 0:
            with suppress(OSError):
                kernel.watch(self._watch, f"{leaf}/cgroup.events")
        cgroup.kill(leaf)
        return set(cgroup.pids(leaf)) if cgroup.is_populated(leaf) else set()

    def forget(self, owner: str) -> None:
        if "/" in owner or owner not in self._limits:
            self._left.add(self._leaf(owner))
        self._left = {leaf for leaf in self._left if not cgroup.remove(leaf)}

    def out_of_memory(self, member: str) -> bool | None:
        if "memory" not in self._enabled:
            return None
        before = self._out_of_memory.get(member, 0)
        now = cgroup.count(f"{self._of_member(member)}/memory.events", "oom_kill")
        self._out_of_memory[member] = now
        return now > before

    def listen(self) -> int:
        self._watch = kernel.watch_descriptor()
        return self._watch

    def close(self) -> None:
        members = f"{self.top}/{MEMBERS}"
        if not cgroup.remove(members):  # a log file is still being compressed, say
            cgroup.end(members, LAST)
            cgroup.remove(members)
        cgroup.leave(self.top)
        cgroup.remove(self.top)


def take_over(handed: Contained, complain: Callable[[str, str], None]) -> Containment:
    """Go on with what another one has handed over."""
    if not handed.top:
        return Sessions(handed.why_not_better)
    cgroups = Cgroups(handed.own, handed.top, complain)
    cgroups.take_over(handed)
    return cgroups


def _settings(limits: Limits) -> dict[str, str]:
    """What to write to which file of a cgroup; what is not limited is freed."""
    memory, cpu = limits.memory, limits.cpu
    return {
        # From there on the kernel takes back what it can; a larger distance would slow a member
        # that leaks for minutes, instead of ending it (mem_cgroup_handle_over_high).
        "memory.high": UNLIMITED if memory is None else str(memory - memory // HIGH),
        "memory.max": UNLIMITED if memory is None else str(memory),
        "memory.swap.max": UNLIMITED if memory is None else "0",
        "cpu.max": f"{UNLIMITED if cpu is None else round(cpu * PERIOD)} {PERIOD}",
        "pids.max": UNLIMITED if limits.pids is None else str(limits.pids),
        "io.weight": str(WEIGHT if limits.io is None else limits.io),
    }
