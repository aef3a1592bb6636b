"""Random lives, for a bounded time: plain ones by seed, and hypothesis' state machine.

The state machine chooses what happens next itself, so that it can make a failing life short.
"""

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pairvisor.core.state import Phase
from tests.sim.groups import EXITS, disturb, live_through, random_world
from tests.sim.invariants import a_stop_reaches_the_end
from tests.sim.wishes import ask
from tests.sim.world import World

UP = frozenset({Phase.STARTING, Phase.RUNNING, Phase.PRE_STOP, Phase.STOPPING})


@pytest.mark.parametrize("hundred", range(20))
def test_random_lives(hundred: int) -> None:
    for seed in range(hundred * 100, hundred * 100 + 100):
        world, wrong = live_through(seed)
        if wrong is not None:
            pytest.fail(f"python -m tests.sim --lives 1 --seed {seed}: {wrong!r}")
        assert world.finish is not None


def test_a_large_group_lives_too() -> None:
    for seed in range(10):
        _, wrong = live_through(seed, size=100)
        assert wrong is None, f"python -m tests.sim --size 100 --lives 1 --seed {seed}: {wrong!r}"


class Lives(RuleBasedStateMachine):
    """Each rule is something that can happen to a group that has started."""

    world: World

    @initialize(seed=st.integers(0, 2**32), size=st.integers(1, 6))
    def begin(self, seed: int, size: int) -> None:
        self.random = Random(seed)
        self.world = random_world(self.random, size)
        self.world.start()

    @rule(count=st.integers(1, 20))
    def what_is_due_happens(self, count: int) -> None:
        for _ in range(count):
            self.world.tick()

    @rule(quarters=st.integers(0, 400))
    def time_passes(self, quarters: int) -> None:
        until = self.world.now + quarters / 4
        for _ in range(200):
            if not self.world.tick(until):
                break

    @rule(quarters=st.integers(1, 40))
    def nobody_looks_at_the_clock(self, quarters: int) -> None:
        self.world.lag(quarters / 4)

    @rule(choice=st.integers(0), end=st.sampled_from(EXITS))
    def a_member_ends(self, choice: int, end: object) -> None:
        assert isinstance(end, type(EXITS[0]))
        members = self.world.state.members
        up = [n for n, m in members.items() if m.spawned and m.phase in UP]
        if up:
            self.world.exit(up[choice % len(up)], end)

    @rule()
    def what_was_told_is_told_again(self) -> None:
        disturb(self.random, self.world)

    @precondition(lambda self: self.world.finish is None)
    @rule(count=st.integers(1, 5))
    def somebody_asks(self, count: int) -> None:
        for _ in range(count):
            ask(self.random, self.world)

    @precondition(lambda self: self.world.finish is None)
    @rule(hasten=st.booleans())
    def a_stop_is_asked_for(self, hasten: bool) -> None:
        self.world.stop(hasten=hasten)

    def teardown(self) -> None:
        world = getattr(self, "world", None)
        if world is not None and world.finish is None:
            a_stop_reaches_the_end(world)


def test_hypothesis_finds_no_life_that_breaks_a_rule() -> None:
    bounds = settings(
        max_examples=150,
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Lives, settings=bounds)
