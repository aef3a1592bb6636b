"""Probes: what a row of results means, and how long it is to the next attempt.

The core asks for one attempt at a time; the next is asked for when its result is known, so that
a slow probe never overtakes itself. A method that is told rather than asks (`notify`, `log`) is
asked once and passes once, but for a watchdog.
"""

from enum import Enum, auto

from pairvisor.core import effects as do
from pairvisor.core.state import GroupState, MemberState, Tally
from pairvisor.manifest.group import Method, Probe, Purpose

FIRST_INTERVAL = 0.05  # seconds
GROWTH = 1.25  # from one to the next, up to the probe's own: seen within a quarter of the wait


class Verdict(Enum):
    """What the latest result has changed."""

    NOTHING = auto()
    PASSED = auto()  # for the first time, or again after FAILED
    FAILED = auto()  # had passed, and failed often enough since


def schedule_first(group: GroupState, member: MemberState, purpose: Purpose) -> None:
    """The first attempt, if the member has such a probe at all."""
    probe = member.spec.probes.get(purpose)
    if probe is not None:
        member.tallies[purpose] = Tally(passed=purpose is Purpose.LIVE)
        _ask(group, member, purpose, probe.delay)


def schedule_next(group: GroupState, member: MemberState, purpose: Purpose) -> None:
    """The attempt after this one, unless there is nothing more to learn."""
    probe, tally = member.spec.probes[purpose], member.tallies[purpose]
    is_over = tally.passed and (purpose is Purpose.STARTUP or is_told(probe, purpose))
    if not is_over:
        _ask(group, member, purpose, pause(probe, purpose, tally))


def go_on(group: GroupState, member: MemberState, old: dict[Purpose, Probe]) -> None:
    """Ask by other probes than until now. Who is ready stays so until it fails."""
    tallies, probes = member.tallies, member.spec.probes
    cancel(group, member)
    for purpose in (Purpose.LIVE, Purpose.READY):
        if (probe := probes.get(purpose)) is not None:
            is_same = probe == old.get(purpose)
            tally = tallies[purpose] if is_same else Tally(passed=_is_well(member, purpose))
            member.tallies[purpose] = tally
            if not (tally.passed and is_told(probe, purpose)):
                _ask(group, member, purpose, probe.interval if is_same else 0.0)
    if Purpose.READY not in probes:
        set_ready(group, member, True)


def _is_well(member: MemberState, purpose: Purpose) -> bool:
    return purpose is Purpose.LIVE or member.ready


def is_told(probe: Probe, purpose: Purpose) -> bool:
    """Whether the member says it by itself, once."""
    return purpose is not Purpose.LIVE and probe.method in (Method.NOTIFY, Method.LOG)


def pause(probe: Probe, purpose: Purpose, tally: Tally) -> float:
    """Seconds to the next attempt: short at first, so that a quick member is seen quickly."""
    if purpose is Purpose.LIVE or tally.passed or is_told(probe, purpose):
        return probe.interval
    return min(probe.interval, FIRST_INTERVAL * GROWTH ** min(tally.tries - 1, 100))


def record(probe: Probe, tally: Tally, passed: bool) -> Verdict:
    """Count one result. Before it has passed, a probe can't fail: `start_timeout` judges that."""
    tally.tries += 1
    tally.passes = tally.passes + 1 if passed else 0
    tally.fails = 0 if passed else tally.fails + 1
    if not tally.passed and tally.passes >= probe.successes:
        tally.passed = True
        return Verdict.PASSED
    if tally.passed and tally.fails >= probe.failures:
        tally.passed = False
        return Verdict.FAILED
    return Verdict.NOTHING


def set_ready(group: GroupState, member: MemberState, ready: bool, detail: str = "") -> None:
    if member.ready is not ready:
        member.ready = ready
        group.effects.append(do.ReadinessChanged(member.spec.name, member.run, ready, detail))


def cancel(group: GroupState, member: MemberState) -> None:
    """End all attempts; none of their results counts any more."""
    if member.tallies:
        member.tallies = {}
        group.effects.append(do.CancelProbes(member.spec.name, member.run))


def _ask(group: GroupState, member: MemberState, purpose: Purpose, delay: float) -> None:
    member.tallies[purpose].asked = True
    group.effects.append(do.Probe(member.spec.name, member.run, purpose, delay))
