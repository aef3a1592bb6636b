"""What a changed manifest does to its group while that runs: no more than it has to.

What is the same runs on. A member needs a new process where the old one can't take a difference
over: another command, folder, mask or environment, or a probe that listens for what a program says
once. All other differences are the supervisor's own business, and hold without a restart: from now
on, or from the member's next start on. A sidecar's change never touches the primary; what starts
because of it keeps to the order.

An init runs once in a round, before those that wait for it. So a changed one runs at the group's
next start. A new one does, too, unless somebody who starts now waits for it.

A group's name and folders can't change while it runs. Where another member is the primary, all
start again: the primary is what the group is about.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from pairvisor.manifest.group import (
    Gate,
    Group,
    Hook,
    Identity,
    Member,
    Method,
    Probe,
    Purpose,
    Role,
)

# Others now, which the member reads anew without a new process.
TOLD = {"secret_version": "told_secrets", "files": "told_files"}

# Of a member; any other field is its process's own, and so is one that comes to be later.
FROM_NOW = {
    "concern": "concern",
    "origin": "origin",
    "watch": "watch",
    "log": "log",
    "limits": "limits",
    "reload": "reload",
    "reload_on": "reload.on_change",
    TOLD["secret_version"]: "secrets",
    TOLD["files"]: "files",
    "stop_signal": "stop.signal",
    "stop_grace": "stop.grace",
    "success_codes": "success_codes",
    "on_exit": "on_exit",
    "on_success": "on_success",
    "on_failure": "on_failure",
}
FROM_NEXT_START = {"start_timeout": "start_timeout", "timeout": "timeout", "check": "check"}
NAMED_OTHERWISE = {"process_limits": "limits", "secret_version": "secrets"}
COMPARED_BELOW = frozenset({"name", "env", "after", "probes", "hooks", "identity"})  # or not at all
IDENTITY = {
    "uid": "user",
    "gid": "group",
    "groups": "supplementary_groups",
    "capabilities": "capabilities",
    "no_new_privileges": "no_new_privileges",
}

NOT_THE_GROUPS = frozenset("name manifest places members volumes parts warnings".split())
TOLD_ONCE = frozenset({Method.NOTIFY, Method.LOG})  # what listens has to be there from the start


class Action(StrEnum):
    """What a reload does to a member."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    ADJUST = "adjust"  # the difference holds without a new process
    NEXT_START = "next-start"  # it runs when the group starts the next time


class Difference(Struct, frozen=True):
    """Which keys of a member differ, by what they take. They are named as in the manifest."""

    process: tuple[str, ...] = ()  # a new process
    now: tuple[str, ...] = ()  # nothing
    next_start: tuple[str, ...] = ()  # nothing; its next process will see it
    next_round: tuple[str, ...] = ()  # nothing; the group's next start will

    @property
    def keys(self) -> tuple[str, ...]:
        return self.process + self.now + self.next_start + self.next_round


class Change(Struct, frozen=True):
    """What becomes of one member; `text` goes on where its name ends."""

    member: str
    action: Action
    keys: tuple[str, ...]
    text: str

    @property
    def is_adjusted(self) -> bool:
        return self.action is Action.ADJUST


class Changes(Struct, frozen=True):
    """What becomes of a group, or why it can't be: then `refused` says so, and nothing is done."""

    members: tuple[Change, ...] = ()
    group: tuple[str, ...] = ()  # its own keys that differ
    whole: str = ""  # why all of it has to start again
    refused: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.members or self.group or self.whole or self.refused)


def changes(old: Group, new: Group) -> Changes:
    """What a reload does, as far as the two manifests tell; a member that is down stays so."""
    starting = [name for name in new.members if _starts(old.members.get(name), new.members[name])]
    inits = {n for n, m in new.members.items() if _is_new(old.members.get(n), m)}
    now = awaited(new.members, starting, inits)
    common = old.members.keys() & new.members.keys()
    found = [
        _change(old.members.get(name), member, common, name in now)
        for name, member in new.members.items()
    ]
    gone = [
        Change(name, Action.STOP, (), "stops: it is not in the manifest any more")
        for name in old.members
        if name not in new.members
    ]
    return Changes(
        members=tuple(change for change in [*found, *gone] if change is not None),
        group=_group_keys(old, new),
        whole=_why_whole(old, new),
        refused=_refused(old, new),
    )


def difference(old: Member, new: Member, common: Collection[str] = ()) -> Difference:
    """Of two that have one name and one role. Of `after` only what is among `common` is looked at:
    that it waits for a new member, or for a former one no more, is that one's news."""
    probes, heard_anew = _probes(old.probes, new.probes)
    hooks = {f"hooks.{hook}" for hook in Hook if old.hooks.get(hook) != new.hooks.get(hook)}
    late = {"hooks.post_start"} & hooks
    after = ["after"] if _among(old.after, common) != _among(new.after, common) else []
    differing = {field for field, value in _fields(old) if value != getattr(new, field)}
    if new.reload is not None:
        differing = {TOLD.get(field, field) for field in differing}
    known = FROM_NOW.keys() | FROM_NEXT_START.keys() | COMPARED_BELOW
    return Difference(
        process=(
            *sorted({NAMED_OTHERWISE.get(field, field) for field in differing - known}),
            *(key for field, key in IDENTITY.items() if _differ(old.identity, new.identity, field)),
            *_variables(old.env, new.env),
            *heard_anew,
        ),
        now=(*probes, *sorted(hooks - late), *_named(FROM_NOW, differing & known)),
        next_start=(*sorted(late), *_named(FROM_NEXT_START, differing)),
        next_round=tuple(after),
    )


def awaited(
    members: Mapping[str, Member], starting: Iterable[str], inits: Collection[str]
) -> set[str]:
    """Which of the inits have to run before those that start, directly or through one another."""
    found: set[str] = set()
    unseen = list(starting)
    while unseen:
        for name in members[unseen.pop()].after:
            if name in inits and name not in found:
                found.add(name)
                unseen.append(name)
    return found


def has_another_primary(old: Group, new: Group) -> bool:
    return old.primary.name != new.primary.name


def _is_new(old: Member | None, new: Member) -> bool:
    """Whether it is an init that has not been one before."""
    return new.role is Role.INIT and (old is None or old.role is not Role.INIT)


def _starts(old: Member | None, new: Member) -> bool:
    """Whether it is one that stays, and gets a process."""
    if new.role is Role.INIT:
        return False
    return old is None or old.role is not new.role or bool(difference(old, new).process)


def _change(
    old: Member | None, new: Member, common: Collection[str], is_due: bool
) -> Change | None:
    """`is_due`: it is a new init for which somebody who starts now waits."""
    if old is None:
        return _entry(new, (), "is new: ", is_due)
    if old.role is not new.role:
        return _entry(new, ("role",), f"is {_a(new.role)} instead of {_a(old.role)}: ", is_due)
    found = difference(old, new, common)
    if not found.keys:
        return None
    if not found.process:
        return Change(new.name, Action.ADJUST, found.keys, _when(found))
    keys = ", ".join(found.process)
    if new.role is Role.INIT:
        text = f"runs at the group's next start: {keys}"
        return Change(new.name, Action.NEXT_START, found.keys, text)
    return Change(new.name, Action.RESTART, found.keys, f"restarts: {keys}")


def _entry(new: Member, keys: tuple[str, ...], why: str, is_due: bool) -> Change:
    """A member that comes in."""
    if new.role is Role.INIT and not is_due:
        return Change(new.name, Action.NEXT_START, keys, f"{why}it runs at the group's next start")
    what = "it runs now, as others wait for it" if new.role is Role.INIT else "it starts"
    return Change(new.name, Action.START, keys, f"{why}{what}")


def _a(role: Role) -> str:
    return "the primary" if role is Role.PRIMARY else f"a{'n' * (role is Role.INIT)} {role}"


def _when(found: Difference) -> str:
    told = [
        (found.now, "from now on"),
        (found.next_start, "from its next start on"),
        (found.next_round, "from the group's next start on"),
    ]
    return "runs on: " + "; ".join(f"{', '.join(keys)} {when}" for keys, when in told if keys)


def _fields(member: Member) -> Iterable[tuple[str, Any]]:
    return asdict(member).items()


def _differ(old: Identity, new: Identity, field: str) -> bool:
    return bool(getattr(old, field) != getattr(new, field))


def _named(names: Mapping[str, str], differing: Collection[str]) -> list[str]:
    return [key for field, key in names.items() if field in differing]


def _among(after: Mapping[str, Gate], common: Collection[str]) -> dict[str, Gate]:
    return {name: gate for name, gate in after.items() if name in common}


def _variables(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [f"env.{n}" for n in sorted(old.keys() | new.keys()) if old.get(n) != new.get(n)]


def _probes(
    old: Mapping[Purpose, Probe], new: Mapping[Purpose, Probe]
) -> tuple[list[str], list[str]]:
    """Those that can be asked otherwise from now on, and those that have to hear a start.

    A log's line or a notify message is said once, and only to who listened from the beginning.
    """
    differing = [p for p in Purpose if old.get(p) != new.get(p)]
    anew = [p for p in differing if p in new and _listens_otherwise(old.get(p), new[p])]
    return [p.value for p in differing if p not in anew], [p.value for p in anew]


def _listens_otherwise(old: Probe | None, new: Probe) -> bool:
    if new.method not in TOLD_ONCE:
        return False
    return old is None or (old.method, old.target) != (new.method, new.target)


def _group_keys(old: Group, new: Group) -> tuple[str, ...]:
    fields = asdict(old).items()
    return tuple(f for f, v in fields if f not in NOT_THE_GROUPS and v != getattr(new, f))


def _why_whole(old: Group, new: Group) -> str:
    if not has_another_primary(old, new):
        return ""
    primaries = f"{new.primary.name} instead of {old.primary.name}"
    return f"all restart: the primary is {primaries}"


def _refused(old: Group, new: Group) -> tuple[str, ...]:
    advice = "(stop the group, then start it anew)"
    if old.name != new.name:
        return (f'a group that runs keeps its name: "{old.name}", not "{new.name}" {advice}',)
    if old.places != new.places:
        return (f"a group that runs keeps its folders: {old.places.run} {advice}",)
    if old.is_unprivileged and not new.is_unprivileged:
        # See PR_SET_NO_NEW_PRIVS(2const): for us and all our children, there is no way back.
        return (f"a group that runs gets no new privileges (no_new_privileges = false) {advice}",)
    if old.volumes != new.volumes:
        return (f"a group that runs keeps its volumes {advice}",)
    return ()
