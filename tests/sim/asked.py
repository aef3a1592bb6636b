"""The oracles of what somebody asks for: starts, stops and restarts, and reloads."""

from typing import TYPE_CHECKING

from pairvisor.core import effects as do
from pairvisor.core.events import (
    Exited,
    GroupRequest,
    MemberRequest,
    MemberRestartRequested,
    MemberStartRequested,
    MemberStopRequested,
    Reloaded,
    RestartRequested,
    StartRequested,
    StopRequested,
)
from pairvisor.core.state import ENDING, STARTABLE, GroupPhase, Phase, Reason
from pairvisor.manifest.group import Gate, Hook, Method, Purpose, Role
from tests.sim.history import RESTING, History, Life
from tests.sim.world import Entry

if TYPE_CHECKING:
    from tests.sim.invariants import Judge

Wrong = str | None
REQUESTS = (StartRequested, StopRequested, RestartRequested, MemberRequest, Reloaded)
ASKED_TO_START = (MemberStartRequested, MemberRestartRequested)


def is_asked_to_start(entry: Entry, member: str) -> bool:
    """Whether this very event asks for that."""
    event = entry.event
    if isinstance(event, StartRequested):
        return True
    return isinstance(event, ASKED_TO_START) and event.member == member


NO_MEMBERS_OWN = frozenset(
    {Reason.REQUEST, Reason.MAX_RUNTIME, Reason.START_TIMEOUT, Reason.UNKILLABLE}
)

# Effects


def held_members_stay_down(judge: "Judge", entry: Entry, effect: do.Spawn) -> Wrong:
    """What was stopped as asked is not started before somebody asks, or the group's next round."""
    if effect.member not in judge.held or is_asked_to_start(entry, effect.member):
        return None
    begins = any(e == do.Tidy() for e in entry.effects)
    return None if begins else "it is held"


def inits_run_once_a_round(judge: "Judge", entry: Entry, effect: do.Spawn) -> Wrong:
    """An init that comes too late for a round waits for the next one."""
    skipped = judge.life(effect).skipped and not is_asked_to_start(entry, effect.member)
    return "it came too late" if skipped else None


def spawned_by_the_latest_word(judge: "Judge", _: Entry, effect: do.Spawn) -> Wrong:
    """A run goes by the specification that is the group's, and nobody else is started."""
    spec = judge.history.spec.members.get(effect.member)
    if spec is None:
        return "it is in no specification"
    used = judge.world.state.members[effect.member].spec
    return None if used == spec else f"{used} instead of {spec}"


def causes_name_their_request(judge: "Judge", entry: Entry, effect: do.Moved) -> Wrong:
    """What was asked for says by whom: a request that was made, of that member or of the group."""
    cause, history = effect.cause, judge.history
    if cause is None or cause.reason is not Reason.REQUEST:
        return None
    event = judge.requests.get(cause.request)
    if isinstance(event, MemberRequest):
        return None if event.member == effect.member == cause.member else f"of {event.member}"
    if isinstance(event, Reloaded):
        allowed = history.reloads.get(cause.request, set())
        return None if effect.member in allowed else "what is the same runs on"
    return None if isinstance(event, StartRequested) else f"{event}"


def a_reload_ends_in_order(judge: "Judge", _: Entry, effect: do.Signal | do.RunHook) -> Wrong:
    """Of those that a reload ends nobody is told before those that had waited for it have ended."""
    life = judge.life(effect)
    if isinstance(effect, do.RunHook) and effect.hook is not Hook.PRE_STOP:
        return None
    early = not judge.history.stops and life.doomed and life.first
    return f"{life.first} come first" if early else None


def what_was_asked_for_is_not_judged(judge: "Judge", _: Entry, effect: do.GroupMoved) -> Wrong:
    """No group stops because of one that somebody ends, but where that one can't be killed; and
    none is over while there is one that may be started again."""
    cause, history = effect.cause, judge.history
    if effect.phase is not GroupPhase.STOPPING:
        return None
    if cause is not None and cause.member and cause.reason is not Reason.UNKILLABLE:
        life = history.lives[cause.member]
        if life.doomed or life.told_as_asked:
            return f"{cause.member} was to end"
    resting = all(life.phase in RESTING for life in history.lives.values())
    held = [name for name, life in history.lives.items() if life.held]
    is_right = cause is not None and cause.reason in NO_MEMBERS_OWN
    return f"{held} are held" if resting and held and not is_right else None


# Steps


def asking_counts_nothing(judge: "Judge", entry: Entry, before: GroupPhase) -> Wrong:
    """No request counts in a backoff, and no end that was asked for is judged."""
    state, event = judge.world.state, entry.event
    members = state.members.items()
    if isinstance(event, GroupRequest | MemberRequest):
        found = {name: m.backoff.level for name, m in members}
        raised = [n for n, level in found.items() if level not in (judge.levels.get(n, 0), 0)]
        is_raised = state.backoff.level not in (judge.level, 0)
        judge.levels, judge.level = found, state.backoff.level
        return f"it raised {raised} or the group's backoff" if raised or is_raised else None
    if not isinstance(event, Exited) or before is GroupPhase.STOPPING:
        return None
    life = judge.history.lives[event.member]
    was_asked = life.told_as_asked and life.run == event.run
    moved = [e for e in entry.effects if isinstance(e, do.GroupMoved)]
    return "it was asked for" if was_asked and moved else None


def what_is_asked_happens(judge: "Judge", entry: Entry, before: GroupPhase) -> Wrong:
    """… at once: a member that runs is told, one that is down starts."""
    event, history = entry.event, judge.history
    if before not in (GroupPhase.STARTING, GroupPhase.RUNNING):
        return None
    if not isinstance(event, MemberRequest) or event.member not in history.spec.members:
        return None
    was, now = judge.phases.get(event.member), history.lives[event.member].phase
    if isinstance(event, MemberStopRequested):
        return _is_stopped(judge, event.member, was, now)
    if isinstance(event, MemberRestartRequested) and was in STARTABLE:
        return None if now in ENDING else f"{was} became {now}"
    if was in (Phase.ENDED, Phase.BACKOFF) or (
        was is Phase.WAITING
        and before is GroupPhase.RUNNING
        and (isinstance(event, MemberStartRequested) or event.member in judge.held)
    ):
        return None if now is Phase.STARTING else f"{was} became {now}"
    return None


def _is_stopped(judge: "Judge", name: str, was: Phase | None, now: Phase) -> Wrong:
    if was in STARTABLE and now not in ENDING:
        return f"{was} became {now}"
    stays = was in STARTABLE or was in (Phase.WAITING, Phase.BACKOFF)
    if stays and not judge.world.state.members[name].held:
        return "it is not held"
    return "its restart goes on" if was is Phase.BACKOFF and now is not Phase.ENDED else None


def restarts_that_were_asked_for_come(judge: "Judge", entry: Entry, _: GroupPhase) -> Wrong:
    """What was to start again does, once it has ended, and once its gates are open."""
    history = judge.history
    for effect in entry.effects:
        if isinstance(effect, do.Moved) and effect.phase is Phase.ENDED and history.goes_on:
            life = history.lives[effect.member]
            if life.again and life.phase is Phase.ENDED:
                return f"{effect.member} has ended"
    return None


def entrants_start(judge: "Judge", entry: Entry, _: GroupPhase) -> Wrong:
    """One that a reload brought in starts in the step in which the last of its gates opens."""
    history = judge.history
    if not history.goes_on or not history.had_entrants:
        return None
    for name, life in history.lives.items():
        if life.entered and life.phase is Phase.WAITING and name in history.spec.members:
            shut = life.needs
            if shut is None:
                shut = {on for on, gate in life.after.items() if not _is_open(history, on, gate)}
            if not shut and not life.held and not life.skipped:
                return f"{name} still waits"
    return None


def _is_open(history: History, on: str, gate: Gate) -> bool:
    life = history.lives[on]
    if life.doomed or life.again or life.phase is Phase.WAITING or gate not in life.opened:
        return False
    if gate is Gate.READY:
        return life.phase is Phase.RUNNING and life.spec.role is not Role.INIT
    if gate is Gate.STARTED:
        return life.phase in STARTABLE and life.answered
    down = life.phase is Phase.ENDED and not life.held
    return down and (gate is Gate.ENDED or life.succeeded)


def who_has_to_go_goes(judge: "Judge", _: Entry, __: GroupPhase) -> Wrong:
    """Of those that a reload ends each is told as soon as its turn comes."""
    history = judge.history
    if not history.goes_on or not history.had_entrants:
        return None
    left = [n for n, life in history.lives.items() if _is_overdue(life)]
    return f"{left}" if left else None


def _is_overdue(life: Life) -> bool:
    return life.doomed and life.phase in STARTABLE and not life.first


def a_reload_touches_nothing_else(judge: "Judge", entry: Entry, before: GroupPhase) -> Wrong:
    """What is the same runs on, as ready as it was; whoever is gone is forgotten."""
    if not isinstance(entry.event, Reloaded) or not judge.history.goes_on:
        return None
    if do.Tidy() in entry.effects:
        return None  # with another primary all start again
    allowed = judge.history.reloads.get(entry.event.request, set())
    others = [e for e in entry.effects if getattr(e, "member", "") not in allowed]
    for effect in others:
        if isinstance(effect, do.ReadinessChanged) and not effect.ready:
            return f"{effect.member} is not ready any more"
        was_waiting = judge.phases.get(getattr(effect, "member", "")) is Phase.WAITING
        if isinstance(effect, do.Spawn) and not was_waiting:
            return f"{effect.member} is started"
    return None


def probes_go_on(judge: "Judge", entry: Entry, _: GroupPhase) -> Wrong:
    """After a reload whoever was watched is watched, by what is the word now."""
    if not isinstance(entry.event, Reloaded) or not judge.history.goes_on:
        return None
    for name, life in judge.history.lives.items():
        is_up = life.phase in STARTABLE and life.watched and life.spec.role is not Role.INIT
        if is_up and not _asked_of(life) <= life.asked:
            return f"of {name} {_asked_of(life) - life.asked} is not asked"
    return None


def _asked_of(life: Life) -> set[Purpose]:
    gating = life.gating()
    if life.phase is Phase.STARTING and gating is not None:
        return {gating}
    probes = life.spec.probes
    told = {p for p in (Purpose.READY,) if p in probes and probes[p].method is Method.NOTIFY}
    return {Purpose.LIVE, Purpose.READY} & probes.keys() - told


def nothing_runs_for_ever(judge: "Judge", _: Entry, __: GroupPhase) -> Wrong:
    """A group of which nothing runs is over, unless something of it was stopped as asked."""
    history = judge.history
    if judge.world.state.busy or not history.goes_on:
        return None
    lives = history.lives.values()
    alive = any(life.phase not in RESTING or life.held for life in lives)
    return None if alive else "nothing runs"


def a_round_starts_all(judge: "Judge", entry: Entry, _: GroupPhase) -> Wrong:
    """When a round begins, whoever waits for nobody starts, whatever was asked before."""
    if do.Tidy() not in entry.effects:
        return None
    lives = [judge.history.lives[name] for name in judge.history.spec.members]
    left = [m.spec.name for m in lives if not m.after and m.phase is Phase.WAITING]
    return f"{left} still wait" if left else None


def news_can_be_read(judge: "Judge", entry: Entry, _: GroupPhase) -> Wrong:
    """Whoever is told of a member finds it in the state, also where it has just left."""
    names = {getattr(effect, "member", "") for effect in entry.effects} - {""}
    missing = names - judge.world.state.members.keys()
    return f"{missing} are forgotten" if missing else None


def the_state_is_about_the_group(judge: "Judge", _: Entry, __: GroupPhase) -> Wrong:
    """The core knows those of the specification, those that still have to go, and nobody else."""
    state, history = judge.world.state, judge.history
    if judge.world.steps % 50:
        return None
    for name in state.members.keys() - history.spec.members.keys() - set(state.gone):
        if history.goes_on and history.lives[name].phase in RESTING:
            return f"{name} has ended"
    missing = history.spec.members.keys() - state.members.keys()
    return f"{missing}" if missing else None


OF_SPAWN = (held_members_stay_down, inits_run_once_a_round, spawned_by_the_latest_word)
OF_STEPS = (
    asking_counts_nothing,
    what_is_asked_happens,
    restarts_that_were_asked_for_come,
    entrants_start,
    who_has_to_go_goes,
    a_reload_touches_nothing_else,
    probes_go_on,
    nothing_runs_for_ever,
    a_round_starts_all,
    news_can_be_read,
    the_state_is_about_the_group,
)
