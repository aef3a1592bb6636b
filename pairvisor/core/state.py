"""What a group is at a moment: phases, deadlines, gates that are still shut.

A specification (`manifest.group`) never changes; all that does is here. The group's is that of what
starts from now on, a member's that of its present run, or of its last one: a reload replaces the
former at once, and the latter where the difference needs no new process.

Deadlines are absolute, on the caller's monotonic clock, in seconds; `inf` is none.
"""

from enum import StrEnum
from heapq import heappop, heappush
from math import inf
from typing import Any

from msgspec import Struct, field

from pairvisor.core.events import Exit
from pairvisor.manifest.group import Gate, Group, Hook, Member, Purpose, Role
from pairvisor.manifest.stop import ends_after


class Phase(StrEnum):
    """Where a member is. What the passing of its deadline means stands beside each."""

    WAITING = "waiting"  # its gates are shut, or its round has not begun; no deadline
    STARTING = "starting"  # spawned, not ready yet: it fails
    RUNNING = "running"  # an init: it fails; others have no deadline
    PRE_STOP = "pre-stop"  # its hook runs: the stop signal is sent all the same
    DRAINING = "draining"  # reads the last of its input: the stop signal is sent
    STOPPING = "stopping"  # was sent its stop signal: it is killed
    KILLING = "killing"  # was sent SIGKILL: it counts as unkillable
    EMPTYING = "emptying"  # main process over, the tree's rest killed: as above
    POST_STOP = "post-stop"  # its hook runs: the hook is cancelled
    BACKOFF = "backoff"  # waits alone for its restart: it starts
    ENDED = "ended"  # over for this round; no deadline
    UNKILLABLE = "unkillable"  # SIGKILL did not help; no deadline


class GroupPhase(StrEnum):
    """Where a group is. What the passing of its deadline means stands beside each."""

    IDLE = "idle"  # not asked to start yet; no deadline
    STARTING = "starting"  # not all are ready yet: it fails
    RUNNING = "running"  # no deadline
    STOPPING = "stopping"  # the grace is over: the last signals, then SIGKILL
    BACKOFF = "backoff"  # the next round begins
    OVER = "over"  # finished; no deadline


GOES_ON = frozenset({GroupPhase.STARTING, GroupPhase.RUNNING})
STARTABLE = frozenset({Phase.STARTING, Phase.RUNNING})
STOPPABLE = STARTABLE | {Phase.PRE_STOP, Phase.DRAINING, Phase.STOPPING, Phase.KILLING}
AT_REST = frozenset({Phase.WAITING, Phase.ENDED, Phase.UNKILLABLE})
ENDING = frozenset(Phase) - STARTABLE - AT_REST - {Phase.BACKOFF}

# An exit can come in any phase with a main process; all other moves are a decision of ours.
MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.WAITING: frozenset({Phase.STARTING}),
    Phase.STARTING: frozenset(
        {Phase.RUNNING, Phase.PRE_STOP, Phase.DRAINING, Phase.STOPPING, Phase.EMPTYING}
    ),
    Phase.RUNNING: frozenset({Phase.PRE_STOP, Phase.DRAINING, Phase.STOPPING, Phase.EMPTYING}),
    Phase.PRE_STOP: frozenset({Phase.DRAINING, Phase.STOPPING, Phase.EMPTYING}),
    Phase.DRAINING: frozenset({Phase.STOPPING, Phase.EMPTYING}),
    Phase.STOPPING: frozenset({Phase.KILLING, Phase.EMPTYING}),
    Phase.KILLING: frozenset({Phase.EMPTYING, Phase.UNKILLABLE}),
    Phase.EMPTYING: frozenset({Phase.POST_STOP, Phase.BACKOFF, Phase.ENDED, Phase.UNKILLABLE}),
    Phase.POST_STOP: frozenset({Phase.BACKOFF, Phase.ENDED}),
    Phase.BACKOFF: frozenset({Phase.STARTING, Phase.ENDED}),
    Phase.ENDED: frozenset({Phase.WAITING, Phase.STARTING}),
    Phase.UNKILLABLE: frozenset({Phase.ENDED}),
}


class Sequel(StrEnum):
    """What comes after a member's run; for one that has none now, what keeps it from starting."""

    END = "end"  # nothing: it stays ended
    RESTART = "restart"  # its fate: the next run, after a pause
    RESPAWN = "respawn"  # somebody asked: the next run, at once
    HOLD = "hold"  # somebody asked: it stays down until its start is asked for, or the next round
    SKIP = "skip"  # likewise; but it came too late for this round, or is to leave the group


class Reason(StrEnum):
    """Why a group restarted or ended."""

    EXIT = "exit"
    SIGNAL = "signal"
    SPAWN = "spawn"
    START_TIMEOUT = "start-timeout"
    TIMEOUT = "timeout"
    LIVE = "live"
    HOOK = "hook"
    MAX_RUNTIME = "max-runtime"
    NOT_STOPPED = "not-stopped"  # had to be killed when it was asked to stop
    UNKILLABLE = "unkillable"
    STUCK = "stuck"  # nothing runs, and what hasn't run waits for what can't come
    REQUEST = "request"  # somebody asked for it


class Cause(Struct, frozen=True):
    """The first failure, or the end, that everything else followed from.

    `member` is empty where it is the group's own; `at` is on the caller's monotonic clock;
    `request` is the number of the one that asked for it, where somebody did.
    """

    reason: Reason
    member: str = ""
    exit: Exit | None = None
    detail: str = ""
    at: float = 0.0
    request: int = 0


class Goal(StrEnum):
    """What a stop of the group leads to. A restart can be overruled, nothing else can."""

    RESTART = "restart"
    SUCCEED = "succeed"
    FAIL = "fail"
    STOP = "stop"


class Tally(Struct):
    """A probe's results in a row, and how often it was tried before it first passed."""

    passes: int = 0
    fails: int = 0
    tries: int = 0
    passed: bool = False
    asked: bool = False  # an attempt is outstanding


class Backoff(Struct):
    """How many restarts in a row there were, and when the latest of them were."""

    level: int = 0
    recent: list[float] = []


class MemberState(Struct):
    spec: Member
    after: dict[str, Gate] = {}  # whom it waits for, and …
    followers: tuple[str, ...] = ()  # … those that wait for it, as the group is now
    ends_after: frozenset[str] = frozenset()  # who is at rest before it is told, in a stop …
    ends_before: tuple[str, ...] = ()  # … and who is told after it
    phase: Phase = Phase.WAITING
    run: int = 0  # how often it was spawned
    spawned: bool = False  # in this run its program has started
    deadline: float = inf
    stop_by: float = inf  # while it drains: when its time to end is over
    unmet: set[str] = field(default_factory=set)  # for whom it has to wait yet, if it waits
    undone: set[str] = field(default_factory=set)  # of `ends_after`, who is not at rest yet
    is_done: bool = False  # while the group stops: it is at rest, and has passed the word on
    ready: bool = False
    ready_since: float = inf
    tallies: dict[Purpose, Tally] = field(default_factory=dict)
    exit: Exit | None = None
    cause: Cause | None = None  # why it failed, or is ended, in this run
    hook: Hook | None = None  # that runs
    sequel: Sequel = Sequel.END
    asked: Cause | None = None  # the request that the sequel follows from
    pause: float = 0.0  # seconds of backoff before a restart
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def held(self) -> bool:
        """Whether it was stopped as asked, and stays down."""
        return self.sequel is Sequel.HOLD

    @property
    def succeeded(self) -> bool:
        """Whether it ended well, and was not ended because it was found failing."""
        good = self.exit is not None and self.exit.code in self.spec.success_codes
        return good and self.cause is None


class GroupState(Struct):
    spec: Group
    members: dict[str, MemberState]
    primary: MemberState
    epilogue: frozenset[str] = frozenset()  # wait for the primary's end: nobody waits for these
    phase: GroupPhase = GroupPhase.IDLE
    round: int = 0  # how often the group was started
    deadline: float = inf
    began: float = 0.0  # its life, from which `max_runtime` counts
    run_until: float = inf
    ready_since: float = inf
    unsettled: set[str] = field(default_factory=set)  # have to become ready, or to succeed
    busy: int = 0  # members that are not at rest
    last_call: bool = False  # the grace is over; what is left has its last two seconds
    goal: Goal = Goal.STOP
    cause: Cause | None = None
    killed: Cause | None = None  # a primary that had to be killed, or an unkillable member
    backoff: Backoff = field(default_factory=Backoff)
    pause: float = 0.0  # seconds of backoff before the next round
    noise: float = 0.0
    doomed: dict[str, set[str]] = field(default_factory=dict)  # a reload ends them, after those
    gone: list[str] = field(default_factory=list)  # in no specification any more, and ended
    former: dict[str, int] = field(default_factory=dict)  # the last runs of those before
    coming: Group | None = None  # the next round's specification, where it is another
    effects: list[Any] = field(default_factory=list)  # of the present step, each an `Effect`
    timers: list[tuple[float, str]] = field(default_factory=list)  # a heap, with stale entries


GROUP = ""  # names the group's own deadline among the timers
RUNTIME = "*"  # and this one `run_until`; a member can't be called either


def new(spec: Group) -> GroupState:
    """The group before its start. Raises StopIteration if it has no primary."""
    members = {name: MemberState(spec=member) for name, member in spec.members.items()}
    group = GroupState(spec=spec, members=members, primary=members[spec.primary.name])
    link(group)
    return group


def restored(group: GroupState) -> GroupState:
    """One that was written down and read again: its primary is one of its members."""
    group.primary = group.members[group.primary.spec.name]
    return group


def adopt(group: GroupState, spec: Group) -> None:
    """Let the group, all of which is at rest, be as this says; who stays goes on counting runs."""
    present = group.members
    group.gone = [name for name in present if name not in spec.members]
    group.members = {n: present.get(n) or join(group, m) for n, m in spec.members.items()}
    for name, member in group.members.items():
        member.spec = spec.members[name]
    group.members |= {name: present[name] for name in group.gone}
    group.spec, group.coming = spec, None
    link(group)


def join(group: GroupState, spec: Member) -> MemberState:
    """A new member; news of one that had its name before must not be taken for its own."""
    return MemberState(spec=spec, run=group.former.pop(spec.name, 0))


def link(group: GroupState) -> None:
    """Note who waits for whom, and who ends after whom.

    Who leaves the group still waits for those that it waited for.
    """
    followers: dict[str, list[str]] = {name: [] for name in group.members}
    for name, member in group.members.items():
        spec = group.spec.members.get(name)
        after = member.after if spec is None else spec.after
        member.after = {on: gate for on, gate in after.items() if on in group.members}
        for on in member.after:
            followers[on].append(name)
    for name, member in group.members.items():
        member.followers = tuple(followers[name])
    _link_ends(group)
    group.primary = group.members[group.spec.primary.name]
    group.epilogue = _epilogue(group.members, group.primary)


def _link_ends(group: GroupState) -> None:
    specs = {name: group.spec.members.get(name, m.spec) for name, m in group.members.items()}
    reads = {
        name: [source for source in spec.stdin.sources if source in group.members]
        for name, spec in specs.items()
        if spec.stdin is not None
    }
    inits = [name for name, spec in specs.items() if spec.role is Role.INIT]
    after = {name: member.after for name, member in group.members.items()}
    later: dict[str, list[str]] = {name: [] for name in group.members}
    for name, first in ends_after(after, reads, inits).items():
        group.members[name].ends_after = frozenset(first)
        for other in first:
            later[other].append(name)
    for name, member in group.members.items():
        member.ends_before = tuple(later[name])


def forget_gone(group: GroupState) -> None:
    """Who has left is kept for the readers of that step's news, and no longer."""
    for name in group.gone:
        member = group.members.pop(name)
        group.former[name] = member.run
        group.unsettled.discard(name)
        for on in member.after:
            awaited = group.members[on]
            awaited.followers = tuple(n for n in awaited.followers if n != name)
        for follower in member.followers:
            del group.members[follower].after[name]
        for later in map(group.members.get, member.ends_before):
            if later is not None:
                later.ends_after -= {name}
        for earlier in map(group.members.get, member.ends_after):
            if earlier is not None:
                earlier.ends_before = tuple(n for n in earlier.ends_before if n != name)
    group.gone = []


def _epilogue(members: dict[str, MemberState], primary: MemberState) -> frozenset[str]:
    """Those that can't start before the primary has ended, by their own gates or by others'."""
    name = primary.spec.name
    ends = (Gate.SUCCEEDED, Gate.ENDED)
    unseen = [on for on in primary.followers if members[on].after[name] in ends]
    found: set[str] = set()
    while unseen:
        one = unseen.pop()
        if one not in found:
            found.add(one)
            unseen.extend(members[one].followers)
    return frozenset(found)


def set_deadline(group: GroupState, member: MemberState | None, deadline: float) -> None:
    """Of the member, or of the group where that is None."""
    owner = group if member is None else member
    owner.deadline = deadline
    if deadline < inf:
        heappush(group.timers, (deadline, GROUP if member is None else member.spec.name))
        if len(group.timers) > 8 * len(group.members) + 64:
            _drop_stale_timers(group)


def _drop_stale_timers(group: GroupState) -> None:
    """A crash loop under a long start_timeout would leave one behind at each start."""
    owners = (GROUP, RUNTIME, *group.members)
    group.timers = sorted((due(group, owner), owner) for owner in owners)


def due(group: GroupState, owner: str) -> float:
    """When that timer's owner has its deadline now."""
    if owner == GROUP:
        return group.deadline
    if owner == RUNTIME:
        return group.run_until
    member = group.members.get(owner)
    return inf if member is None else member.deadline


def next_deadline(group: GroupState) -> float:
    """The earliest deadline of all, for the one timer that the caller arms; `inf` if none."""
    timers = group.timers
    while timers and due(group, timers[0][1]) != timers[0][0]:
        heappop(timers)
    return timers[0][0] if timers else inf
