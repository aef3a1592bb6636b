"""When the next start is."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairvisor.core.backoff import delay, is_exhausted, record_restart
from pairvisor.core.state import Backoff
from pairvisor.manifest.group import Restart

POLICIES = st.builds(
    Restart,
    initial=st.floats(0, 1000),
    max=st.floats(1000, 1e6),
    factor=st.floats(1, 1000),
    jitter=st.floats(0, 1),
)


def test_a_row_of_restarts() -> None:
    assert [delay(Restart(), level) for level in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("factor", [1.0, 1.01, 1.5, 2.0, 1000.0])
def test_the_longest_wait_is_reached_and_kept(factor: float) -> None:
    policy = Restart(factor=factor, max=30.0)
    longest = 1.0 if factor == 1 else 30.0
    assert delay(policy, 1_000_000) == longest


def test_from_nothing_comes_nothing() -> None:
    assert delay(Restart(initial=0.0, factor=1000.0), 1_000_000) == 0


@given(POLICIES, st.integers(0, 5000))
def test_waits_never_fall_and_never_pass_the_maximum(policy: Restart, level: int) -> None:
    assert 0 <= delay(policy, level) <= delay(policy, level + 1) <= policy.max


@given(POLICIES, st.integers(0, 5000), st.floats(0, 1, exclude_max=True))
def test_chance_only_shortens_and_by_no_more_than_it_may(
    policy: Restart, level: int, noise: float
) -> None:
    longest = delay(policy, level)
    assert longest * (1 - policy.jitter) <= delay(policy, level, noise) <= longest


def test_a_healthy_run_begins_the_row_anew() -> None:
    policy, backoff = Restart(jitter=0, reset_after=100), Backoff()
    waits = [
        record_restart(backoff, policy, since, now, 0)
        for since, now in [(inf, 0), (10, 20), (inf, 30), (40, 140), (150, 249.9)]
    ]
    assert waits == [0, 1, 2, 0, 1]


def test_the_limit_counts_what_lies_within() -> None:
    policy, backoff = Restart(limit=2, within=10), Backoff()
    assert not is_exhausted(backoff, policy, 0)
    record_restart(backoff, policy, inf, 0, 0)
    record_restart(backoff, policy, inf, 5, 0)
    assert is_exhausted(backoff, policy, 9.9)
    assert not is_exhausted(backoff, policy, 10)


@given(st.lists(st.floats(0, 20), max_size=50), st.integers(1, 5))
def test_what_is_remembered_is_bounded(gaps: list[float], limit: int) -> None:
    policy, backoff, now = Restart(limit=limit, within=30), Backoff(), 0.0
    for gap in gaps:
        now += gap
        if not is_exhausted(backoff, policy, now):
            record_restart(backoff, policy, inf, now, 0)
        assert len(backoff.recent) <= limit


def test_without_a_limit_nothing_is_remembered() -> None:
    backoff = Backoff()
    for now in range(100):
        record_restart(backoff, Restart(), inf, now, 0)
    assert backoff.recent == []
