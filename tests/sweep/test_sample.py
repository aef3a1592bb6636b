"""Some of the sweep's points, the same in each run: `python -m tests.sweep` goes through all.

PAIRVISOR_TEST_SEED takes another sample; a single point is repeated by the command that is told.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from random import Random
from time import monotonic

import pytest

from tests.sweep.lives import Outcome, calls_of, try_point
from tests.sweep.points import KILL, Point, parse, points
from tests.sweep.tracing import can_trace

SEED = int(os.environ.get("PAIRVISOR_TEST_SEED", "1"))
ENOUGH = 9.0  # seconds after which no further point is begun
AT_ONCE = 2
LIVES = (("start", "main"), ("stop", "main"), ("reload", "main"), ("rotate", "pump"))

WHY_NOT = can_trace()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(WHY_NOT), reason=f"NO SWEEP: {WHY_NOT}"),
]


def test_a_sample() -> None:
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it where it is needed
    chance = Random(SEED)
    end = monotonic() + ENOUGH
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(points_of, LIVES))
        chosen = [chance.choice(some) for _ in range(20) for some in both_kinds(found)]
        tried = pool.map(lambda p: try_point(p) if monotonic() < end else None, chosen)
        outcomes = [outcome for outcome in tried if outcome is not None]
    assert outcomes
    assert not any(outcome.wrong for outcome in outcomes), told(outcomes)


def points_of(life: tuple[str, str]) -> list[Point]:
    return list(points(*life, calls_of(*life)))


def both_kinds(found: list[list[Point]]) -> list[list[Point]]:
    """Deaths, and failures, of each life."""
    deaths = [[point for point in life if point.fault == KILL] for life in found]
    failures = [[point for point in life if point.fault != KILL] for life in found]
    return [some for pair in zip(deaths, failures, strict=True) for some in pair]


def told(outcomes: list[Outcome]) -> str:
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    return "\n".join(f"{'; '.join(o.wrong)}\n{o.point.command}\n{o.said}" for o in wrong)


# What was wrong once; the numbers drift with the code, so each has neighbours that are as good.
KNOWN = {
    "stop/pump/epoll_ctl/ENOMEM/5": "the pump died of an error with one pipe",
    "reload/main/pidfd_open/EMFILE/4+": "an error in a client's request left it deaf to SIGTERM",
}


@pytest.mark.parametrize("point", KNOWN)
def test_what_was_wrong_once(point: str) -> None:
    outcome = try_point(parse(point))
    assert not outcome.wrong, told([outcome])
