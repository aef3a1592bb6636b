"""The oracles: what must be true of every life of every group, whatever happens to it.

Each is one function with the rule as its docstring. Those of an effect are asked before the
history has noted it, those of a step after all of it was noted. They read the history, which is
told by the journal alone; the core's own state is looked at only where the rule is about it.
"""

from collections.abc import Callable
from math import inf

from pairvisor.core import effects as do
from pairvisor.core.events import (
    Event,
    Exited,
    HookEnded,
    MemberRestartRequested,
    MemberStartRequested,
    MemberStopRequested,
    ProbeEnded,
    Reloaded,
    RestartRequested,
    StopRequested,
    TimePassed,
)
from pairvisor.core.state import ENDING, MOVES, Cause, GroupPhase, Phase, Reason, next_deadline
from pairvisor.manifest.group import Hook, Purpose, Restart, Role
from tests.sim import asked
from tests.sim.history import LAST_CALL, RESTING, History, Life, Restarts
from tests.sim.world import Entry, StuckError, World

LEAVE = 1.0  # seconds; not imported, so that a change of the core's shows
PATIENCE = 10.0  # seconds; likewise
ROUNDING = 1e-6  # seconds; sums of floats differ in their last digits
TIMEOUTS = frozenset({Reason.START_TIMEOUT, Reason.TIMEOUT, Reason.MAX_RUNTIME, Reason.UNKILLABLE})
GROUP_MOVES = {
    GroupPhase.IDLE: {GroupPhase.STARTING, GroupPhase.OVER},
    GroupPhase.STARTING: {GroupPhase.RUNNING, GroupPhase.STOPPING},
    GroupPhase.RUNNING: {GroupPhase.STOPPING},
    GroupPhase.STOPPING: {GroupPhase.BACKOFF, GroupPhase.OVER},
    GroupPhase.BACKOFF: {GroupPhase.STARTING, GroupPhase.OVER},
    GroupPhase.OVER: set(),
}


class ViolationError(AssertionError):
    """A rule was broken; it begins with the rule's name."""


class Judge:
    """Asks the oracles at each step of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.history = History(world.spec)
        self.levels = dict.fromkeys(world.spec.members, 0)  # of the members' backoffs, and the …
        self.level = 0  # … group's: how many restarts in a row the core has counted
        self.goal = (world.state.goal, world.state.cause)
        self.grace_seen_over = inf  # when the core first heard that it is
        self.primary_was_killed = False  # in this stop
        self.requests: dict[int, Event] = {}  # that were made
        self.held: set[str] = set()  # before this step
        self.phases: dict[str, Phase] = {}  # of the members, before this step
        world.watch = self.watch

    def watch(self, entry: Entry) -> None:
        history = self.history
        before = history.phase
        if number := getattr(entry.event, "request", 0):
            self.requests[number] = entry.event
            self.phases = {name: life.phase for name, life in history.lives.items()}
        history.note_event(entry.event, entry.time)
        if isinstance(entry.event, MemberStopRequested):
            self._see_whether_held(entry.event.member)
        for effect in entry.effects:
            for oracle in OF_EFFECTS.get(type(effect), ()):
                if (wrong := oracle(self, entry, effect)) is not None:
                    raise ViolationError(f"{oracle.__name__}: {wrong} ({effect})")
            history.note_effect(effect)
        for rule in OF_STEPS:
            if (wrong := rule(self, entry, before)) is not None:
                raise ViolationError(f"{rule.__name__}: {wrong} ({entry.event})")
        held = history.lives if number else self.held
        self.held = {name for name in held if history.lives[name].held}

    def _see_whether_held(self, name: str) -> None:
        """One that is ending already is held only where it would have started again."""
        member, life = self.world.state.members.get(name), self.history.lives.get(name)
        if member is not None and life is not None and life.phase in ENDING and member.held:
            life.held, life.again, life.skipped = True, False, False

    def life(self, effect: do.Effect) -> Life:
        return self.history.lives[effect.member]  # type: ignore[union-attr]


Wrong = str | None


# Up


def order_up(judge: Judge, _: Entry, effect: do.Spawn) -> Wrong:
    """Nobody is started before each of its gates has opened in this round, but where somebody asks
    for it. Who runs again, by its fate, has been through them."""
    lives = judge.history.lives
    life = lives[effect.member]
    if life.needs is not None:
        return f"waits for {life.needs}" if life.needs else None
    if life.is_free or (life.ran and not life.entered):
        return None
    for name, gate in life.after.items():
        if gate not in lives[name].opened:
            return f"waits for {name} to be {gate}"
    return None


def never_two_instances(judge: Judge, _: Entry, effect: do.Spawn) -> Wrong:
    """A member starts only when of its last run nothing is there: tree, hook, probes."""
    life = judge.life(effect)
    if life.is_there or life.hook is not None or life.asked:
        return f"its last run is still there: {life.phase}, {life.hook}, {life.asked}"
    if effect.run != life.run + 1:
        return f"run {effect.run} after {life.run}"
    alive = [run for name, run in judge.world.alive() if name == effect.member]
    return f"runs {alive}" if len(alive) > 1 else None


def starts_only_in_a_round(judge: Judge, _: Entry, __: do.Spawn) -> Wrong:
    """Nothing starts while the group stops, backs off or is over, nor once a stop was asked for."""
    if judge.history.asked_at < inf:
        return "a stop was asked for"
    fine = judge.history.phase in (GroupPhase.STARTING, GroupPhase.RUNNING)
    return None if fine else f"the group is {judge.history.phase}"


def open_gates_start(judge: Judge, entry: Entry, _: GroupPhase) -> Wrong:
    """Whoever waits for nothing more is started in that very step."""
    history, name = judge.history, getattr(entry.event, "member", None)
    if name not in history.lives or history.phase not in (GroupPhase.STARTING, GroupPhase.RUNNING):
        return None
    for follower in history.lives[name].waiters:
        life = history.lives[follower]
        if life.entered or life.held or life.skipped or follower not in history.spec.members:
            continue
        if life.phase is Phase.WAITING and all(
            gate in history.lives[on].opened for on, gate in life.after.items()
        ):
            return f"{follower} still waits"
    return None


def up_once_all_are(judge: Judge, _: Entry, effect: do.GroupMoved) -> Wrong:
    """The group is up only once each member was ready, or has ended, in this round."""
    late = judge.history.unsettled if effect.phase is GroupPhase.RUNNING else None
    return f"not ready: {sorted(late)}" if late else None


def up_as_soon_as_all_are(judge: Judge, entry: Entry, _: GroupPhase) -> Wrong:
    """… and in the very step in which the last of them was."""
    history = judge.history
    late = history.phase is GroupPhase.STARTING and not history.unsettled
    return "it is still starting" if late else None


def runs_are_answered(judge: Judge, _: Entry, effect: do.Finish) -> Wrong:
    """Every Spawn, hook, probe and Kill has had its answer or was cancelled, by the end."""
    for name, life in judge.history.lives.items():
        if life.phase is Phase.UNKILLABLE:
            continue
        if not life.answered or life.hook is not None or life.asked or life.is_there:
            return f"{name}: {life.answered=} {life.hook=} {life.asked=} {life.is_there=}"
    return None


# Probes


def probes_in_their_time(judge: Judge, _: Entry, effect: do.Probe) -> Wrong:
    """No attempt while the member isn't up, once its or the group's stop has begun, or, for
    ready and live, before startup has passed."""
    life = judge.life(effect)
    if not life.is_up or life.run != effect.run:
        return "it is not up"
    if judge.history.stops or life.told_at < inf:
        return "its stop has begun"
    gated = Purpose.STARTUP in life.spec.probes and effect.purpose is not Purpose.STARTUP
    gated &= life.ready_at == inf  # by a reload a member that runs may get one, too
    return "startup has not passed" if gated and Purpose.STARTUP not in life.passed else None


def one_attempt_at_a_time(judge: Judge, _: Entry, effect: do.Probe) -> Wrong:
    """At most one attempt of a probe is outstanding."""
    return "asked already" if effect.purpose in judge.life(effect).asked else None


def no_attempt_outlives_the_stop(judge: Judge, _: Entry, before: GroupPhase) -> Wrong:
    """When a stop begins all attempts are cancelled."""
    history = judge.history
    if not history.is_first_stop_event:
        return None
    asked = [name for name, life in history.lives.items() if life.asked]
    return f"{asked}" if asked else None


# Down


def order_down(judge: Judge, _: Entry, effect: do.Signal | do.RunHook | do.EndInput) -> Wrong:
    """While the group stops, a member is told once all are at rest that waited for it or that it
    reads, directly or through members that never started; or when the grace is over."""
    history, life = judge.history, judge.life(effect)
    if isinstance(effect, do.RunHook) and effect.hook is not Hook.PRE_STOP:
        return None
    if not history.stops or life.told_at < inf or history.now >= history.grace_ends:
        return None
    earlier = history.earlier(effect.member)
    busy = [name for name in earlier if history.lives[name].phase not in RESTING]
    return f"{busy} come first" if busy else None


def signalled_behind_its_input(judge: Judge, entry: Entry, effect: do.Signal) -> Wrong:
    """While the group stops, one that reads others is signalled a second after it has read all at
    the earliest; or when its time is over, or less of it is wanted."""
    history, life = judge.history, judge.life(effect)
    if life.spec.stdin is None or not history.stops or life.told_alone:
        return None
    is_hastened = isinstance(entry.event, StopRequested) and entry.event.hasten
    told_at = min(life.told_at, history.now)
    is_late = history.now >= min(told_at + life.spec.stop_grace, history.grace_ends) - ROUNDING
    if is_late or is_hastened or history.now >= life.input_ended_at + LEAVE - ROUNDING:
        return None
    return f"it has read all at {life.input_ended_at:g}"


def drained_only_in_a_stop(judge: Judge, _: Entry, effect: do.EndInput) -> Wrong:
    """Who is ended alone is not waited for: those that it reads write on."""
    return None if judge.history.stops else "those that it reads go on"


def told_once(judge: Judge, _: Entry, effect: do.Signal) -> Wrong:
    """A run gets its stop signal once, while it is up."""
    life = judge.life(effect)
    return None if life.is_up and life.signalled_at == inf else f"{life.is_up=}, {life.run=}"


def one_hook_at_a_time(judge: Judge, _: Entry, effect: do.RunHook) -> Wrong:
    """A member has one hook at a time, in its place: after its start, before its stop, after."""
    life = judge.life(effect)
    if life.hook is not None:
        return f"{life.hook} runs"
    right_place = {
        Hook.POST_START: life.is_up and life.told_at == inf and not judge.history.stops,
        Hook.PRE_STOP: life.is_up and life.told_at == inf,
        Hook.POST_STOP: not life.is_there and life.phase is Phase.POST_STOP,
    }
    return None if right_place[effect.hook] else f"{life.phase}"


def killed_in_time(judge: Judge, _: Entry, effect: do.Kill) -> Wrong:
    """What is still up is killed when its grace is over: not earlier, and not later; but one
    that was told late has two seconds, unless a whole grace is less."""
    life, history = judge.life(effect), judge.history
    if not life.is_up:
        return None
    if life.signalled_at == inf:
        return "killed before it was told"
    due = min(life.told_at + life.grace, history.grace_ends)
    early = max(due, life.signalled_at + life.least) - history.now
    late = history.now - max(due, life.signalled_at + LAST_CALL) - judge.world.lagged
    if early > ROUNDING:
        return f"killed {early:g} s too early"
    return f"killed {late:g} s too late" if late > ROUNDING else None


def given_up_in_time(judge: Judge, _: Entry, effect: do.Moved) -> Wrong:
    """What was sent SIGKILL has ten seconds before it counts as unkillable: no less, no more."""
    if effect.phase is not Phase.UNKILLABLE:
        return None
    late = judge.history.now - judge.life(effect).killed_at - PATIENCE
    fine = -ROUNDING <= late <= judge.world.lagged + ROUNDING
    return None if fine else f"{late:g} s too late"


def note_a_killed_primary(judge: Judge, _: Entry, effect: do.Kill) -> Wrong:
    """(Notes what `stop_always_wins` asks for.)"""
    life = judge.life(effect)
    if life.spec.role is Role.PRIMARY and life.is_up and judge.history.stops:
        judge.primary_was_killed = True
    return None


def one_grace(judge: Judge, entry: Entry, _: GroupPhase) -> Wrong:
    """When the grace of a stop is over all are told, and two seconds later all are killed."""
    history, now = judge.history, entry.time
    if history.is_first_stop_event or not history.stops:
        judge.grace_seen_over = inf
        judge.primary_was_killed &= history.stops or history.finish is not None
    if not history.stops or type(entry.event) is not TimePassed or now < history.grace_ends:
        return None
    if judge.grace_seen_over == inf:
        judge.grace_seen_over = now
        untold = [n for n, life in history.lives.items() if life.is_up and life.told_at == inf]
        return f"not told: {untold}" if untold else None
    if now < judge.grace_seen_over + LAST_CALL:
        return None
    left = [n for n, life in history.lives.items() if life.is_there and life.killed_at == inf]
    return f"not killed: {left}" if left else None


def nothing_alive_at_the_end(judge: Judge, _: Entry, __: do.Finish) -> Wrong:
    """At the end nothing is alive, but for what can't be killed."""
    unkillable = Phase.UNKILLABLE
    lives = judge.history.lives
    alive = [key for key in judge.world.alive() if lives[key[0]].phase is not unkillable]
    commands = [key for key in judge.world.commands() if lives[key[0]].phase is not unkillable]
    return f"{alive}, {commands}" if alive or commands else None


# Fate, and what a stop leads to


def deaths_we_caused_never_count(judge: Judge, entry: Entry, before: GroupPhase) -> Wrong:
    """What members do while the group stops changes neither its aim, its cause nor a backoff; and
    no backoff knows of an end that was asked for."""
    state, event = judge.world.state, entry.event
    level, goal = state.backoff.level, (state.goal, state.cause)
    caused = before is GroupPhase.STOPPING and isinstance(event, Exited | ProbeEnded | HookEnded)
    wrong = None
    if caused and state.phase is GroupPhase.STOPPING and goal != judge.goal:
        wrong = f"the aim was {judge.goal}, and is {goal}"
    if caused and level != judge.level:
        wrong = f"the group's backoff went from {judge.level} to {level}"
    judge.level, judge.goal = level, goal
    if isinstance(event, Exited | ProbeEnded | HookEnded):
        life = judge.history.lives[event.member]
        caused |= isinstance(event, Exited) and life.told_as_asked and life.run == event.run
        for name, was, level in _levels(judge, {event.member}):
            wrong = f"{name}'s backoff went from {was} to {level}" if caused else wrong
    _levels(judge, {e.member for e in entry.effects if type(e) is do.Moved})
    return wrong


def _levels(judge: Judge, names: set[str]) -> list[tuple[str, int, int]]:
    """Of those whose backoff has changed since it was last looked at; the looks are noted."""
    members = judge.world.state.members
    found = {name: members[name].backoff.level for name in names & members.keys()}
    changed = [(n, judge.levels.get(n, 0), level) for n, level in found.items()]
    judge.levels |= found
    return [(name, was, level) for name, was, level in changed if was != level]


def stop_always_wins(judge: Judge, _: Entry, effect: do.Finish) -> Wrong:
    """A stop that was asked for ends as one; a failure it is only where the primary had to be
    killed, something can't be, or another end was under way."""
    history = judge.history
    had_to_be = judge.primary_was_killed or history.had_unkillable
    if history.asked_at == inf:
        return "nobody asked" if effect.outcome is do.Outcome.STOPPED else None
    if effect.outcome is do.Outcome.STOPPED:
        return "it went badly" if had_to_be else None
    under_way = history.asked_in is GroupPhase.STOPPING and (
        effect.cause == history.cause or _is_max_runtime_before(effect.cause, history.asked_at)
    )
    if under_way or (had_to_be and effect.outcome is do.Outcome.FAILED):
        return None
    return f"{effect.outcome}"


def _is_max_runtime_before(cause: Cause | None, asked_at: float) -> bool:
    return cause is not None and cause.reason is Reason.MAX_RUNTIME and cause.at <= asked_at


def no_restart_after_a_stop(judge: Judge, _: Entry, effect: do.GroupMoved) -> Wrong:
    """Once a stop was asked for the group can only stop and be over."""
    again = effect.phase in (GroupPhase.STARTING, GroupPhase.RUNNING, GroupPhase.BACKOFF)
    return "a stop was asked for" if again and judge.history.asked_at < inf else None


def cause_is_the_first_failure(judge: Judge, entry: Entry, effect: do.GroupMoved) -> Wrong:
    """A stop begins with what has just happened as its cause, and a restart keeps it."""
    history, cause = judge.history, effect.cause
    if effect.phase is GroupPhase.BACKOFF:
        return None if cause == history.cause else f"it was {history.cause}"
    if effect.phase is not GroupPhase.STOPPING:
        return None
    everybody_is = all(life.phase in RESTING for life in history.lives.values())
    return None if _follows(cause, entry.event) or everybody_is else "not by this event"


def _follows(cause: Cause | None, event: Event) -> bool:
    """Whether this event can have been that cause."""
    match event:
        case StopRequested():
            return _is_asked(cause, event)
        case RestartRequested() | Reloaded():
            return _is_asked(cause, event)
        case Exited():
            return cause is not None and (cause.member, cause.exit) == (event.member, event.exit)
        case ProbeEnded():
            return _is_of(cause, event, Reason.LIVE)
        case HookEnded():
            return _is_of(cause, event, Reason.HOOK)
        case _:
            return cause is not None and cause.reason in TIMEOUTS


def _is_asked(cause: Cause | None, event: StopRequested | RestartRequested | Reloaded) -> bool:
    return cause is not None and (cause.reason, cause.request) == (Reason.REQUEST, event.request)


def _is_of(cause: Cause | None, event: ProbeEnded | HookEnded, reason: Reason) -> bool:
    return cause is not None and (cause.member, cause.reason) == (event.member, reason)


def cause_at_the_end(judge: Judge, _: Entry, effect: do.Finish) -> Wrong:
    """The end's cause is the one its stop began with, unless that was overruled."""
    if effect.outcome is do.Outcome.STOPPED:
        stop = StopRequested(request=judge.history.stop_request)
        return None if _is_asked(effect.cause, stop) else "somebody else asked"
    if effect.cause is not None and effect.cause.reason in OVERRULING:
        return None
    same = effect.cause == judge.history.cause
    return None if same else f"it was {judge.history.cause}"


OVERRULING = frozenset({Reason.MAX_RUNTIME, Reason.NOT_STOPPED, Reason.UNKILLABLE})


STATUS = {Reason.NOT_STOPPED: 137, Reason.UNKILLABLE: 70}  # of causes that have no exit


def exit_status(_: Judge, __: Entry, effect: do.Finish) -> Wrong:
    """0 after a success or an asked stop; else the cause's code, or 128 + its signal, never 0."""
    if effect.outcome is not do.Outcome.FAILED:
        return None if effect.status == 0 else "not 0"
    if effect.cause is None:
        return "a failure without a cause"
    end = effect.cause.exit
    if end is None or end.error is not None:
        expected = 126 if end is not None else STATUS.get(effect.cause.reason, 1)
        return None if effect.status == expected else f"not {expected}"
    expected = end.code if end.code is not None else 128 + (end.signal or 0)
    return None if effect.status == (expected or 1) else f"not {expected}"


# Time


def group_backoff(judge: Judge, _: Entry, effect: do.GroupMoved) -> Wrong:
    """The group's first restart is immediate, each next one waits longer, up to the maximum, the
    row begins anew after a healthy run, and there are no more in a while than the limit says."""
    history = judge.history
    if effect.phase is GroupPhase.STARTING and history.phase is GroupPhase.BACKOFF:
        if history.is_hurried:
            return None
        earliest = history.restarts.due[0]
        return f"{earliest:g} is due" if history.now < earliest - ROUNDING else None
    if effect.phase is not GroupPhase.BACKOFF:
        return None
    if history.cause is not None and history.cause.reason is Reason.REQUEST:
        history.restarts.due = (history.now, inf)
        return "it was asked for" if effect.delay else None
    low, high = _next_wait(history, history.restarts, history.stop_began, history.ready_at)
    history.restarts.due = (history.now + effect.delay, inf)
    if history.is_hurried:
        low = high = 0.0
    if not low - ROUNDING <= effect.delay <= high + ROUNDING:
        return f"{effect.delay:g} s instead of {low:g} to {high:g}"
    return _over_the_limit(history.restarts)


def member_backoff(judge: Judge, entry: Entry, effect: do.Moved) -> Wrong:
    """The same for a member that restarts alone."""
    history, life = judge.history, judge.life(effect)
    if effect.phase is Phase.STARTING and life.phase is Phase.BACKOFF:
        if isinstance(entry.event, MemberStartRequested | MemberRestartRequested):
            return None
        low, high = life.restarts.due
        fine = low - ROUNDING <= history.now <= high + judge.world.lagged + ROUNDING
        return None if fine else f"due from {low:g} to {high:g}"
    if effect.phase is not Phase.BACKOFF:
        return None
    low, high = _next_wait(history, life.restarts, life.failed_at, life.ready_at)
    life.restarts.due = (history.now + low, history.now + high)
    return _over_the_limit(life.restarts)


def _next_wait(
    history: History, restarts: Restarts, failed_at: float, ready_at: float
) -> tuple[float, float]:
    """The shortest and the longest wait that is right for the next restart, which is noted."""
    policy = restarts.policy
    healthy = failed_at - ready_at >= policy.reset_after
    least, most = (0, 0) if healthy else (restarts.level, restarts.highest)
    restarts.level, restarts.highest = least + 1, most + 1
    restarts.at.append(failed_at)
    jitter = policy.jitter if history.is_noisy else 0.0
    return _wait(policy, least) * (1 - jitter), _wait(policy, most)


def _wait(policy: Restart, level: int) -> float:
    """The contract's row: at once, then initial, initial * factor …, at most max."""
    if level == 0:
        return 0.0
    wait = policy.initial
    for _ in range(min(level - 1, 1000)):
        wait = min(policy.max, wait * policy.factor)
    return min(policy.max, wait)


def _over_the_limit(restarts: Restarts) -> Wrong:
    policy = restarts.policy
    if not policy.limit:
        return None
    since = max(restarts.at[-1] - policy.within, restarts.counted_from)
    within = [at for at in restarts.at if at > since]
    return f"{len(within)} restarts in a row" if len(within) > policy.limit else None


def deadlines_lie_ahead(judge: Judge, entry: Entry, _: GroupPhase) -> Wrong:
    """After it was told the time, nothing that was due is due still."""
    if type(entry.event) is TimePassed:
        due = next_deadline(judge.world.state)
        return f"due at {due:g}" if due <= entry.time else None
    return None


# Phases


def phases_move_along_the_table(judge: Judge, _: Entry, effect: do.Moved) -> Wrong:
    """Members move only as `state.MOVES` says."""
    phase = judge.life(effect).phase
    return None if effect.phase in MOVES[phase] else f"from {phase}"


def groups_move_along_theirs(judge: Judge, _: Entry, effect: do.GroupMoved) -> Wrong:
    """A group starts, runs, stops; then it starts again or is over."""
    phase = judge.history.phase
    return None if effect.phase in GROUP_MOVES[phase] else f"from {phase}"


def silent_after_the_end(judge: Judge, entry: Entry, _: GroupPhase) -> Wrong:
    """After Finish nothing is ordered any more, and Finish comes last."""
    if judge.history.is_ended and entry.effects:
        return f"{entry.effects}"
    last = judge.history.finish is None or judge.history.is_ended
    return None if last or type(entry.effects[-1]) is do.Finish else "Finish isn't the last"


# Asked by those who drive a world


def stale_events_change_nothing(world: World, event: Event) -> None:
    """An event of an older run, or one that was told before, has no effect at all."""
    before = picture(world)
    effects = world.deliver(event)
    if effects or picture(world) != before:
        raise ViolationError(f"stale_events_change_nothing: {event}: {effects}")


def picture(world: World) -> str:
    """All that changes in the core's state, as text."""
    state = world.state
    group = (state.phase, state.deadline, state.goal, state.cause, state.killed, state.backoff)
    members = [
        (m.phase, m.run, m.deadline, sorted(m.unmet), m.ready, m.tallies, m.exit, m.sequel)
        for name, m in state.members.items()
        if name not in state.gone  # these are forgotten by the next event, whichever that is
    ]
    return f"{group} {sorted(state.unsettled - set(state.gone))} {members}"


def a_stop_reaches_the_end(world: World) -> do.Finish:
    """From any state, a stop and time lead to the end: within the grace, the last call, and
    twice the patience with what can't be killed; in a bounded number of steps."""
    world.stop()
    latest = world.now + world.state.spec.grace + LAST_CALL + 2 * PATIENCE + ROUNDING
    try:
        finish = world.run_to_the_end(steps=100 * len(world.state.members) + 100)
    except StuckError as stuck:
        raise ViolationError(f"a_stop_reaches_the_end: {stuck}") from stuck
    if world.now > latest:
        raise ViolationError(f"a_stop_reaches_the_end: at {world.now:g} instead of {latest:g}")
    return finish


OF_EFFECTS: dict[type, tuple[Callable[..., Wrong], ...]] = {
    do.Spawn: (order_up, never_two_instances, starts_only_in_a_round, *asked.OF_SPAWN),
    do.Probe: (probes_in_their_time, one_attempt_at_a_time),
    do.EndInput: (order_down, drained_only_in_a_stop),
    do.Signal: (order_down, told_once, signalled_behind_its_input, asked.a_reload_ends_in_order),
    do.RunHook: (order_down, one_hook_at_a_time, asked.a_reload_ends_in_order),
    do.Kill: (killed_in_time, note_a_killed_primary),
    do.Moved: (
        phases_move_along_the_table,
        given_up_in_time,
        member_backoff,
        asked.causes_name_their_request,
    ),
    do.GroupMoved: (
        groups_move_along_theirs,
        no_restart_after_a_stop,
        cause_is_the_first_failure,
        group_backoff,
        asked.what_was_asked_for_is_not_judged,
        up_once_all_are,
    ),
    do.Finish: (
        nothing_alive_at_the_end,
        runs_are_answered,
        stop_always_wins,
        cause_at_the_end,
        exit_status,
    ),
}
OF_STEPS: tuple[Callable[[Judge, Entry, GroupPhase], Wrong], ...] = (
    open_gates_start,
    up_as_soon_as_all_are,
    no_attempt_outlives_the_stop,
    one_grace,
    deaths_we_caused_never_count,
    deadlines_lie_ahead,
    silent_after_the_end,
    *asked.OF_STEPS,
)
