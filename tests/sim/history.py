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
    InputEnded,
    MemberRequest,
    MemberRestartRequested,
    MemberStartRequested,
    MemberStopRequested,
    ProbeEnded,
    Reloaded,
    RestartRequested,
    Spawned,
    StartRequested,
    StopRequested,
)
from pairvisor.core.state import ENDING, GOES_ON, STARTABLE, Cause, GroupPhase, Phase, Reason
from pairvisor.manifest.changes import awaited, difference
from pairvisor.manifest.group import Gate, Group, Hook, Member, Purpose, Restart, Role

LAST_CALL = 2.0  # the contract's "2 s later"; not imported, so that a change of the core's shows
RESTING = frozenset({Phase.WAITING, Phase.ENDED, Phase.UNKILLABLE})
NOT_ENDS = frozenset({Gate.STARTED, Gate.READY})
TOLD = frozenset({Phase.PRE_STOP, Phase.DRAINING, Phase.STOPPING})


class Restarts(Struct):
    """Restarts in a row, as the contract counts them."""

    policy: Restart = Restart()  # when the latest was decided on
    level: int = 0
    highest: int = 0  # with those that may have been decided when the group's stop came first
    at: list[float] = []
    counted_from: float = -inf  # the limit is that of a later manifest
    due: tuple[float, float] = (0.0, 0.0)  # the shortest and the longest wait that is right


class Life(Struct):
    """One member's."""

    spec: Member  # of this run, or of the next one
    after: dict[str, Gate] = {}  # as the group is now
    waiters: list[str] = []  # all that wait for it, directly or through others
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
    told_alone: bool = False  # by its own fate, or as asked
    told_as_asked: bool = False
    grace: float = inf  # its own or the group's, as it was when it was told
    least: float = inf  # … and what it has from its stop signal on, at least
    input_ended_at: float = inf
    signalled_at: float = inf
    killed_at: float = inf
    failed_at: float = inf  # when its end, or its failure, was known
    restarts: Restarts = field(default_factory=Restarts)
    watched: bool = False  # its probes have begun, in this run
    held: bool = False  # was stopped as asked
    again: bool = False  # its next run was asked for
    skipped: bool = False  # an init that came too late for this round
    ran: bool = False  # in this round
    is_free: bool = False  # somebody asked for it, whatever its gates say, in this round
    is_gone: bool = False  # from the group, and forgotten
    entered: bool = False  # came in, or was replaced, since its round began
    doomed: bool = False  # a reload replaces this run, or ends it
    closed: set[Gate] = field(default_factory=set)  # that this run has opened for nobody
    first: set[str] = field(default_factory=set)  # who has to end before it is told
    needs: set[str] | None = None  # who has to come up before it does, and nobody else

    @property
    def succeeded(self) -> bool:
        good = self.exit is not None and self.exit.code in self.spec.success_codes
        return good and not self.told_alone

    def gating(self) -> Purpose | None:
        """The probe that says that its start is over."""
        found = [p for p in (Purpose.STARTUP, Purpose.READY) if p in self.spec.probes]
        return found[0] if found else None


class History:
    """One group's."""

    def __init__(self, spec: Group) -> None:
        self.spec = spec
        self.coming: Group | None = None  # the next round's
        self.lives = {name: Life(m) for name, m in spec.members.items()}
        self.counted: set[str] = set()  # on whom the group's being up depends
        self._relink()
        self.reloads: dict[int, set[str]] = {}  # whom each may end or start
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
        self.stop_request = 0
        self.had_entrants = False  # in this round
        self.is_hurried = False  # somebody asked for the restart that is ahead
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
            InputEnded: self._input_ended,
        }
        self._note_request = {
            StartRequested: self._start_requested,
            StopRequested: self._stop_requested,
            RestartRequested: self._restart_requested,
            MemberStartRequested: self._member_requested,
            MemberStopRequested: self._member_requested,
            MemberRestartRequested: self._member_requested,
            Reloaded: self._reloaded,
        }
        self._note_effect = {
            do.Spawn: self._spawn,
            do.EndInput: self._end_input,
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
        if (take := self._note_request.get(type(event))) is not None:
            take(event)  # type: ignore[operator]
        elif (note := self._note_event.get(type(event))) is not None:
            life = self.lives.get(event.member)  # type: ignore[union-attr]
            if life is not None and life.run == event.run:  # type: ignore[union-attr]
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
            self._open(life, Gate.READY)
            self.unsettled.discard(life.spec.name)

    @property
    def goes_on(self) -> bool:
        return self.phase in GOES_ON

    def _open(self, life: Life, gate: Gate) -> None:
        (life.closed if life.doomed else life.opened).add(gate)
        for other in () if life.doomed else life.waiters:
            waiter = self.lives[other]
            if waiter.needs and waiter.after.get(life.spec.name) is gate:
                waiter.needs.discard(life.spec.name)

    def _count_on(self, life: Life) -> None:
        if self.phase is GroupPhase.STARTING and life.spec.name in self.counted:
            self.unsettled.add(life.spec.name)

    # Events

    def _stop_requested(self, event: StopRequested) -> None:
        if self.asked_at == inf and self.phase is not GroupPhase.OVER:
            self.asked_at = self.now
            self.asked_in = self.phase
            self.stop_request = event.request
        if event.hasten and self.stops:
            self.grace_ends = min(self.grace_ends, self.now + LAST_CALL)

    def _spawned(self, life: Life, _: Spawned) -> None:
        if life.phase is not Phase.STARTING or life.answered:
            return
        life.answered = True
        self._open(life, Gate.STARTED)
        if Hook.POST_START not in life.spec.hooks:
            self._begin_to_watch(life)

    def _begin_to_watch(self, life: Life) -> None:
        life.watched = True
        if life.gating() is None:
            self._become_ready(life)

    def _exited(self, life: Life, event: Exited) -> None:
        if not life.is_up:
            return
        life.is_up = False
        life.answered = True
        life.exit = event.exit
        self._failed(life)
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
        if event.hook is Hook.POST_START and event.passed:
            self._begin_to_watch(life)

    # Effects

    def _spawn(self, effect: do.Spawn) -> None:
        life = self.lives[effect.member]
        life.spec = self.spec.members[effect.member]
        life.run = effect.run
        life.is_there = life.is_up = True
        life.answered = False
        life.exit = None
        life.asked = set()
        life.passes, life.fails, life.passed = {}, {}, set()
        life.ready_at = life.told_at = life.signalled_at = life.killed_at = life.failed_at = inf
        life.input_ended_at = inf
        life.told_alone = life.told_as_asked = life.watched = False
        life.held = life.again = life.skipped = life.doomed = life.entered = False
        life.ran = True
        life.closed, life.first, life.needs = set(), set(), None

    def _told(self, life: Life) -> None:
        if life.told_at == inf:
            life.told_at = self.now
            self._failed(life)
            life.told_alone = not self.stops
            life.grace = min(life.spec.stop_grace, self.spec.grace)

    def _failed(self, life: Life) -> None:
        if life.failed_at == inf:
            life.failed_at = self.now
            life.restarts.policy = self.spec.restart

    def _input_ended(self, life: Life, _: InputEnded) -> None:
        life.input_ended_at = self.now

    def _end_input(self, effect: do.EndInput) -> None:
        self._told(self.lives[effect.member])

    def _signal(self, effect: do.Signal) -> None:
        life = self.lives[effect.member]
        self._told(life)
        life.signalled_at = self.now
        life.least = min(LAST_CALL, life.spec.stop_grace, self.spec.grace, life.grace)

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
        if life.phase in STARTABLE and effect.phase in TOLD and not self.stops:
            self._told_alone(life, effect.cause)
        life.phase = effect.phase
        self.had_unkillable |= effect.phase is Phase.UNKILLABLE
        if effect.phase is Phase.ENDED and not self.stops:
            self._ended(life)
        elif effect.phase is Phase.WAITING:
            life.again = life.doomed = False
        if effect.phase in (Phase.ENDED, Phase.BACKOFF):
            life.doomed = False
            for other in self.lives.values():
                other.first.discard(effect.member)

    def _told_alone(self, life: Life, cause: Cause | None) -> None:
        if cause is not None and cause.reason is Reason.REQUEST:
            life.told_as_asked = True
            self._forgive(life.restarts, life.ready_at)

    def _forgive(self, restarts: Restarts, ready_at: float) -> None:
        if self.now - ready_at >= self.spec.restart.reset_after:
            restarts.level = restarts.highest = 0

    def _ended(self, life: Life) -> None:
        if life.again:
            return
        self.unsettled.discard(life.spec.name)
        life.is_gone = life.spec.name not in self.spec.members
        if life.held or life.skipped or life.is_gone:
            return
        self._open(life, Gate.ENDED)
        if life.succeeded:
            self._open(life, Gate.SUCCEEDED)

    def _group_moved(self, effect: do.GroupMoved) -> None:
        self.phase = effect.phase
        if effect.phase is GroupPhase.STOPPING:
            self.is_first_stop_event = True
            self.stop_began = self.now
            self.grace_ends = self.now + self.spec.grace
            self.cause = effect.cause
            self.restarts.policy = self.spec.restart
            for life in self.lives.values():
                life.least = min(life.least, self.spec.grace)
                if life.phase in ENDING:
                    self._swallow(life)
        elif effect.phase is GroupPhase.STARTING:
            self._begin_round()
        elif effect.phase is GroupPhase.RUNNING:
            self.ready_at = self.now

    def _begin_round(self) -> None:
        if self.coming is not None:
            self._adopt(self.coming)
        self.is_hurried = self.had_entrants = False
        self.ready_at = self.stop_began = self.grace_ends = inf
        self.unsettled = self.counted.copy()
        for name, life in self.lives.items():
            life.spec = self.spec.members.get(name, life.spec)
            life.held = life.again = life.skipped = life.is_free = life.entered = False
            life.doomed = life.ran = False
            life.opened, life.needs = set(), None
            life.is_gone |= name not in self.spec.members

    def _swallow(self, life: Life) -> None:
        """It may have been about to restart alone, which counts although it didn't."""
        if life.told_as_asked or life.failed_at == inf:
            return
        restarts = life.restarts
        if life.failed_at - life.ready_at >= restarts.policy.reset_after:
            restarts.level, restarts.highest = min(restarts.level, 1), max(restarts.highest, 1)
        else:
            restarts.highest += 1

    def _finish(self, effect: do.Finish) -> None:
        self.finish = effect

    # What somebody asks for

    def _start_requested(self, _: StartRequested) -> None:
        self.is_hurried |= self.phase in (GroupPhase.STOPPING, GroupPhase.BACKOFF)
        if self.goes_on:
            held = {name for name, life in self.lives.items() if life.held}
            for name in held:
                self._set_free(self.lives[name], held)

    def _set_free(self, life: Life, held: set[str]) -> None:
        """It starts in its order, among those that start with it."""
        self._count_on(life)
        self.had_entrants = True
        life.entered = True
        if life.phase is not Phase.WAITING:
            life.is_free = True
            gates = life.after.items()
            life.needs = {on for on, gate in gates if on in held and gate in NOT_ENDS}
        life.again = life.phase in ENDING
        life.held = life.skipped = False

    def _restart_requested(self, _: RestartRequested) -> None:
        self.is_hurried |= self.phase in (GroupPhase.STOPPING, GroupPhase.BACKOFF)
        if self.goes_on:
            self._forgive(self.restarts, self.ready_at)

    def _member_requested(self, event: MemberRequest) -> None:
        if not self.goes_on or event.member not in self.spec.members:
            return
        life = self.lives[event.member]
        if isinstance(event, MemberStopRequested):
            self._member_stop_requested(life)
        elif isinstance(event, MemberRestartRequested) and life.phase in STARTABLE:
            life.again = life.is_free = True
            life.skipped = False
            life.first = set()
            self._count_on(life)
        elif life.phase not in STARTABLE:
            is_waiting = life.phase is Phase.WAITING and not life.held and not life.skipped
            if isinstance(event, MemberStartRequested) or not is_waiting:
                self._member_start_requested(life)

    def _member_stop_requested(self, life: Life) -> None:
        if life.phase is Phase.ENDED:
            return
        if life.phase in ENDING:
            # Whether it was to start again only the core knows: the judge will say.
            self._swallow(life)
            return
        life.held, life.again, life.skipped = True, False, False
        life.first = set()
        if life.phase not in STARTABLE:
            self.unsettled.discard(life.spec.name)

    def _member_start_requested(self, life: Life) -> None:
        if life.phase is not Phase.WAITING:
            self._count_on(life)
            self._swallow(life)
            life.again = life.phase in ENDING
            life.is_free = True
        elif life.held or life.skipped:
            self._count_on(life)
        nothing_runs = all(other.phase in RESTING for other in self.lives.values())
        life.is_free |= self.phase is GroupPhase.RUNNING or nothing_runs
        life.held = life.skipped = False
        life.needs = None

    # Reloads

    def _reloaded(self, event: Reloaded) -> None:
        if self.phase is GroupPhase.BACKOFF:
            self._adopt(event.group)
        elif self.goes_on and event.group.primary.name != self.spec.primary.name:
            self.coming = event.group
            self._forgive(self.restarts, self.ready_at)
        elif self.goes_on:
            self._take_over(event)

    def _adopt(self, spec: Group) -> None:
        """All are at rest."""
        for name, member in spec.members.items():
            if name not in self.lives or self.lives[name].is_gone:
                self._enlist(member)
            self.lives[name].spec = member
        for name in self.lives.keys() - spec.members.keys():
            self.lives[name].is_gone = True
        self._allow_restarts_anew(spec)
        self.spec, self.coming = spec, None
        self._relink()

    def _allow_restarts_anew(self, spec: Group) -> None:
        """Those before are nothing to a new limit."""
        if spec.restart != self.spec.restart:
            for restarts in (self.restarts, *(life.restarts for life in self.lives.values())):
                restarts.counted_from = self.now

    def _enlist(self, spec: Member) -> None:
        """A new member, which may have the name of an old one."""
        old = self.lives.get(spec.name)
        self.lives[spec.name] = Life(spec, run=old.run if old else 0)

    def _take_over(self, event: Reloaded) -> None:
        new, old_waiters = event.group, self._direct_waiters()
        inits = {name for name, spec in new.members.items() if self._is_late(spec)}
        entering = {
            name
            for name, spec in new.members.items()
            if spec.role is not Role.INIT and self._needs_process(spec)
        }
        waiting = {
            name
            for name, life in self.lives.items()
            if (life.phase is Phase.WAITING or life.again)
            and name in new.members
            and name not in inits
        }
        entering |= awaited(new.members, entering | waiting, inits)
        skipped = inits - entering
        leaving = self.lives.keys() - new.members.keys()
        self._replace(new, entering, skipped, leaving)
        self.had_entrants = True
        self.reloads[event.request] = entering | skipped | leaving
        doomed = {n for n, life in self.lives.items() if life.doomed and life.phase in STARTABLE}
        for name in doomed:
            followers = old_waiters.get(name, [])
            self.lives[name].first = {
                f for f in followers if f in doomed or self.lives[f].phase in ENDING
            }
        old_counted = self.counted
        old_after = {name: life.after for name, life in self.lives.items()}
        self._allow_restarts_anew(new)
        self.spec = new
        self._relink()
        for name, life in self.lives.items():
            if life.needs is not None and life.after == old_after[name]:
                life.needs |= entering & life.after.keys()
            else:
                life.needs = None
        self._count_anew(old_counted, entering, skipped)
        for name, spec in new.members.items():
            self._adjust(self.lives[name], spec)

    def _is_late(self, spec: Member) -> bool:
        life = self.lives.get(spec.name)
        if spec.role is not Role.INIT:
            return False
        return life is None or life.skipped or (not life.held and self._is_fresh(life, spec))

    def _is_fresh(self, life: Life, spec: Member) -> bool:
        if life.phase in STARTABLE:
            return life.spec.role is not spec.role
        old = self.spec.members.get(spec.name)
        return old is None or old.role is not spec.role

    def _needs_process(self, spec: Member) -> bool:
        life = self.lives.get(spec.name)
        if life is None:
            return True
        if life.held:
            return False
        differs = life.phase is not Phase.WAITING and difference(life.spec, spec).process
        return self._is_fresh(life, spec) or bool(differs)

    def _replace(
        self, new: Group, entering: set[str], skipped: set[str], leaving: set[str]
    ) -> None:
        for name, spec in new.members.items():
            life = self.lives.get(name)
            if life is None or life.is_gone:
                self._enlist(spec)
            elif life.doomed and life.phase in STARTABLE:  # until we know better
                life.doomed = life.again = False
                life.opened |= life.closed
                life.closed = set()
        for name in leaving | entering | skipped:
            life = self.lives[name]
            if name in entering or name in skipped:
                life.closed, life.opened = life.opened, set()
            if life.phase in ENDING and not life.again:
                self._swallow(life)
            life.doomed = life.phase in STARTABLE
            life.again = name in entering and life.phase not in RESTING
            life.skipped = name in skipped
            life.held = False
            life.entered = name not in leaving
            life.is_gone = name in leaving and life.phase in RESTING | {Phase.BACKOFF}
            life.needs = None

    def _count_anew(self, old_counted: set[str], entering: set[str], skipped: set[str]) -> None:
        if self.phase is not GroupPhase.STARTING:
            return
        fresh = {
            name
            for name in self.counted - old_counted
            if self.lives[name].phase is Phase.WAITING and not self.lives[name].held
        }
        self.unsettled = ((self.unsettled | entering | fresh) & self.counted) - skipped

    def _adjust(self, life: Life, spec: Member) -> None:
        """What it goes on by."""
        is_up = life.phase in STARTABLE and not life.doomed
        if life.phase is not Phase.WAITING and not is_up:
            return
        if is_up and difference(life.spec, spec).process:
            return
        life.entered |= not is_up and life.spec.after != spec.after
        old, life.spec = life.spec.probes, spec
        if old == spec.probes or not is_up or spec.role is Role.INIT:
            return
        for purpose in Purpose:
            if life.phase is Phase.STARTING or old.get(purpose) != spec.probes.get(purpose):
                life.passes.pop(purpose, None)
                life.fails.pop(purpose, None)
        if life.phase is Phase.STARTING and life.watched:
            self._begin_to_watch(life)

    # Who waits for whom

    def _relink(self) -> None:
        for name, life in self.lives.items():
            spec = self.spec.members.get(name)
            after = life.after if spec is None else spec.after
            life.after = {on: gate for on, gate in after.items() if on in self.lives}
        direct = self._direct_waiters()
        for name, life in self.lives.items():
            life.waiters = _closure(direct, name)
        self.counted = set(self.spec.members) - self._epilogue()

    def _direct_waiters(self) -> dict[str, list[str]]:
        direct: dict[str, list[str]] = {name: [] for name in self.lives}
        for name, life in self.lives.items():
            if name in self.spec.members or life.phase not in RESTING:
                for on in life.after:
                    direct[on].append(name)
        return direct

    def earlier(self, name: str) -> list[str]:
        """All that end before it in a stop, directly or through others."""
        return _closure(self._direct_ends(), name)

    def _direct_ends(self) -> dict[str, list[str]]:
        """Whom each ends after: who waits for it, or whose output it reads. Reading wins; and an
        init that is read is over by then."""
        direct = self._direct_waiters()
        reads = {
            name: set(member.stdin.sources) if member.stdin else set[str]()
            for name, member in ((name, self._spec_of(name)) for name in self.lives)
        }
        read_inits = {
            source
            for sources in reads.values()
            for source in sources
            if source in self.lives and self._spec_of(source).role is Role.INIT
        }
        return {
            name: [
                *(w for w in direct[name] if name not in reads[w] and name not in read_inits),
                *(source for source in reads[name] if source in self.lives),
            ]
            for name in self.lives
        }

    def _spec_of(self, name: str) -> Member:
        return self.spec.members.get(name, self.lives[name].spec)

    def _epilogue(self) -> set[str]:
        """Those that come after the primary's end, whom nobody waits for."""
        name = self.spec.primary.name
        after = {
            member.name
            for member in self.spec.members.values()
            if member.after.get(name) in (Gate.SUCCEEDED, Gate.ENDED)
        }
        return after.union(*(self.lives[one].waiters for one in after))


def _closure(direct: dict[str, list[str]], name: str) -> list[str]:
    found: dict[str, None] = {}
    unseen = list(direct[name])
    while unseen:
        one = unseen.pop()
        if one not in found:
            found[one] = None
            unseen.extend(direct[one])
    return list(found)
