"""What has happened to a group, noted from its journal alone: what the oracles judge by.

It is told each event before its effects, and each effect in its order. Nothing here is read from
the core's state: where the two disagree, an oracle says so.
"""

from math import inf

from msgspec import Struct, field

from pairvisor.core import effects as do
from pairvisor.core.events import (
    Emptied,
    Event,
    Exit,
    Exited,
    HookEnded,
    ProbeEnded,
    Spawned,
    StopRequested,
)
from pairvisor.core.state import Cause, GroupPhase, Phase
from pairvisor.manifest.group import Gate, Group, Hook, Member, Purpose, Role

LAST_CALL = 2.0  # the contract's "2 s later"; not imported, so that a change of the core's shows
RESTING = frozenset({Phase.WAITING, Phase.ENDED, Phase.UNKILLABLE})


class Restarts(Struct):
    """Restarts in a row, as the contract counts them."""

    level: int = 0
    highest: int = 0  # with those that may have been decided when the group's stop came first
    at: list[float] = []
    due: tuple[float, float] = (0.0, 0.0)  # the shortest and the longest wait that is right


class Life(Struct):
    """One member's."""

    spec: Member
    waiters: list[str]  # all that wait for it, directly or through others
    run: int = 0
    phase: Phase = Phase.WAITING
    is_there: bool = False  # something of its tree may be alive
    is_up: bool = False  # its main process was ordered, and its end is not known
    answered: bool = True  # the latest Spawn was
    opened: set[Gate] = field(default_factory=set)  # in this round
    exit: Exit | None = None
    hook: Hook | None = None  # that runs
    asked: set[Purpose] = field(default_factory=set)  # probes whose attempt is not answered
    passes: dict[Purpose, int] = field(default_factory=dict)  # in a row
    fails: dict[Purpose, int] = field(default_factory=dict)  # in a row
    passed: set[Purpose] = field(default_factory=set)  # in this run, at some time
    ready_at: float = inf  # when it was first ready, in this run
    told_at: float = inf  # when its end began: its pre_stop hook, or its stop signal
    told_alone: bool = False  # by its own fate
    signalled_at: float = inf
    killed_at: float = inf
    failed_at: float = inf  # when its end, or its failure, was known
    restarts: Restarts = field(default_factory=Restarts)

    def gating(self) -> Purpose | None:
        """The probe that says that its start is over."""
        found = [p for p in (Purpose.STARTUP, Purpose.READY) if p in self.spec.probes]
        return found[0] if found else None


class History:
    """One group's."""

    def __init__(self, spec: Group) -> None:
        self.spec = spec
        waiters = _all_waiters(spec)
        self.lives = {name: Life(m, waiters[name]) for name, m in spec.members.items()}
        self.counted = set(self.lives) - _epilogue(spec, waiters)
        self.unsettled: set[str] = set()  # were not ready in this round, and have not ended
        self.now = 0.0
        self.phase = GroupPhase.IDLE
        self.cause: Cause | None = None  # with which the latest stop began
        self.ready_at = inf  # of this round
        self.stop_began = inf
        self.grace_ends = inf
        self.is_first_stop_event = False  # this very step began the stop
        self.asked_at = inf  # when a stop was asked for
        self.asked_in: GroupPhase | None = None
        self.is_noisy = False  # exits bring chance with them
        self.restarts = Restarts()
        self.had_unkillable = False
        self.finish: do.Finish | None = None
        self.is_ended = False  # in an earlier step
        self._note_event = {
            Spawned: self._spawned,
            Exited: self._exited,
            Emptied: self._emptied,
            ProbeEnded: self._probe_ended,
            HookEnded: self._hook_ended,
        }
        self._note_effect = {
            do.Spawn: self._spawn,
            do.Signal: self._signal,
            do.Kill: self._kill,
            do.Probe: self._probe,
            do.CancelProbes: self._cancel_probes,
            do.RunHook: self._run_hook,
            do.CancelHook: self._cancel_hook,
            do.Moved: self._moved,
            do.GroupMoved: self._group_moved,
            do.Finish: self._finish,
        }

    def note_event(self, event: Event, now: float) -> None:
        self.now = now
        self.is_ended = self.finish is not None
        self.is_first_stop_event = False
        if isinstance(event, StopRequested):
            self._stop_requested(event)
        elif (note := self._note_event.get(type(event))) is not None:
            life = self.lives[event.member]  # type: ignore[union-attr]
            if life.run == event.run:  # type: ignore[union-attr]
                note(life, event)  # type: ignore[operator]

    def note_effect(self, effect: do.Effect) -> None:
        if (note := self._note_effect.get(type(effect))) is not None:
            note(effect)  # type: ignore[operator]

    @property
    def stops(self) -> bool:
        return self.phase is GroupPhase.STOPPING

    def _become_ready(self, life: Life) -> None:
        if life.spec.role is not Role.INIT and life.ready_at == inf:
            life.ready_at = self.now
            life.opened.add(Gate.READY)
            self.unsettled.discard(life.spec.name)

    # Events

    def _stop_requested(self, event: StopRequested) -> None:
        if self.asked_at == inf and self.phase is not GroupPhase.OVER:
            self.asked_at = self.now
            self.asked_in = self.phase
        if event.hasten and self.stops:
            self.grace_ends = min(self.grace_ends, self.now + LAST_CALL)

    def _spawned(self, life: Life, _: Spawned) -> None:
        if life.phase is not Phase.STARTING or life.answered:
            return
        life.answered = True
        life.opened.add(Gate.STARTED)
        if Hook.POST_START not in life.spec.hooks and life.gating() is None:
            self._become_ready(life)

    def _exited(self, life: Life, event: Exited) -> None:
        if not life.is_up:
            return
        life.is_up = False
        life.answered = True
        life.exit = event.exit
        life.failed_at = min(life.failed_at, self.now)
        life.asked.clear()

    def _emptied(self, life: Life, _: Emptied) -> None:
        if not life.is_up:
            life.is_there = False

    def _probe_ended(self, life: Life, event: ProbeEnded) -> None:
        if event.purpose not in life.asked:
            return
        life.asked.discard(event.purpose)
        probe = life.spec.probes[event.purpose]
        passes = life.passes[event.purpose] = self._count(life.passes, event, event.passed)
        self._count(life.fails, event, not event.passed)
        if passes >= probe.successes:
            life.passed.add(event.purpose)
            if event.purpose is life.gating():
                self._become_ready(life)

    def _count(self, counts: dict[Purpose, int], event: ProbeEnded, counted: bool) -> int:
        counts[event.purpose] = counts.get(event.purpose, 0) + 1 if counted else 0
        return counts[event.purpose]

    def _hook_ended(self, life: Life, event: HookEnded) -> None:
        if life.hook is not event.hook:
            return
        life.hook = None
        if event.hook is Hook.POST_START and event.passed and life.gating() is None:
            self._become_ready(life)

    # Effects

    def _spawn(self, effect: do.Spawn) -> None:
        life = self.lives[effect.member]
        life.run = effect.run
        life.is_there = life.is_up = True
        life.answered = False
        life.exit = None
        life.asked = set()
        life.passes, life.fails, life.passed = {}, {}, set()
        life.ready_at = life.told_at = life.signalled_at = life.killed_at = life.failed_at = inf
        life.told_alone = False

    def _told(self, life: Life) -> None:
        if life.told_at == inf:
            life.told_at = self.now
            life.failed_at = min(life.failed_at, self.now)
            life.told_alone = not self.stops

    def _signal(self, effect: do.Signal) -> None:
        life = self.lives[effect.member]
        self._told(life)
        life.signalled_at = self.now

    def _kill(self, effect: do.Kill) -> None:
        self.lives[effect.member].killed_at = self.now

    def _probe(self, effect: do.Probe) -> None:
        self.lives[effect.member].asked.add(effect.purpose)

    def _cancel_probes(self, effect: do.CancelProbes) -> None:
        self.lives[effect.member].asked.clear()

    def _run_hook(self, effect: do.RunHook) -> None:
        life = self.lives[effect.member]
        life.hook = effect.hook
        if effect.hook is Hook.PRE_STOP:
            self._told(life)

    def _cancel_hook(self, effect: do.CancelHook) -> None:
        self.lives[effect.member].hook = None

    def _moved(self, effect: do.Moved) -> None:
        life = self.lives[effect.member]
        life.phase = effect.phase
        self.had_unkillable |= effect.phase is Phase.UNKILLABLE
        if effect.phase is Phase.ENDED and not self.stops:
            life.opened.add(Gate.ENDED)
            self.unsettled.discard(life.spec.name)
            good = life.exit is not None and life.exit.code in life.spec.success_codes
            if good and not life.told_alone:
                life.opened.add(Gate.SUCCEEDED)
        elif effect.phase is Phase.WAITING:
            life.opened = set()

    def _group_moved(self, effect: do.GroupMoved) -> None:
        self.phase = effect.phase
        if effect.phase is GroupPhase.STOPPING:
            self.is_first_stop_event = True
            self.stop_began = self.now
            self.grace_ends = self.now + self.spec.grace
            self.cause = effect.cause
            for life in self.lives.values():
                if life.failed_at < inf and life.phase not in RESTING | {Phase.BACKOFF}:
                    self._swallow(life)
        elif effect.phase is GroupPhase.STARTING:
            self.ready_at = self.stop_began = self.grace_ends = inf
            self.unsettled = self.counted.copy()
        elif effect.phase is GroupPhase.RUNNING:
            self.ready_at = self.now

    def _swallow(self, life: Life) -> None:
        """It may have been about to restart alone, which counts although it didn't."""
        restarts = life.restarts
        if life.failed_at - life.ready_at >= self.spec.restart.reset_after:
            restarts.level, restarts.highest = min(restarts.level, 1), max(restarts.highest, 1)
        else:
            restarts.highest += 1

    def _finish(self, effect: do.Finish) -> None:
        self.finish = effect


def _all_waiters(spec: Group) -> dict[str, list[str]]:
    direct: dict[str, list[str]] = {name: [] for name in spec.members}
    for member in spec.members.values():
        for name in member.after:
            direct[name].append(member.name)
    return {name: _closure(direct, name) for name in spec.members}


def _epilogue(spec: Group, waiters: dict[str, list[str]]) -> set[str]:
    """Those that come after the primary's end, whom nobody waits for."""
    name = spec.primary.name
    after = {
        member.name
        for member in spec.members.values()
        if member.after.get(name) in (Gate.SUCCEEDED, Gate.ENDED)
    }
    return after.union(*(waiters[one] for one in after))


def _closure(direct: dict[str, list[str]], name: str) -> list[str]:
    found: dict[str, None] = {}
    unseen = list(direct[name])
    while unseen:
        one = unseen.pop()
        if one not in found:
            found[one] = None
            unseen.extend(direct[one])
    return list(found)
