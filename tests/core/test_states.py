"""The table of moves, and the page that is made of it."""

from collections import defaultdict
from collections.abc import Iterator
from math import inf

from pairvisor.core import effects as do
from pairvisor.core.state import AT_REST, MOVES, STARTABLE, GroupPhase, Phase
from pairvisor.manifest.group import Fate, Restart
from tests.core.diagram import PAGE, comments, page
from tests.sim.groups import live_through
from tests.sim.scripts import Script
from tests.sim.told import group, leaves, primary, sidecar, up
from tests.sim.world import World


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.core.diagram"


def test_every_phase_is_explained() -> None:
    for phases in (Phase, GroupPhase):
        notes = comments(phases)
        assert set(notes) == set(phases.__members__)
        assert all(notes.values())


def test_the_table_has_every_phase_and_no_dead_end() -> None:
    assert set(MOVES) == set(Phase)
    reachable = {Phase.WAITING}
    for _ in Phase:
        reachable |= {to for phase in reachable for to in MOVES[phase]}
    assert reachable == set(Phase)
    assert all(Phase.WAITING not in MOVES[phase] for phase in Phase if phase is not Phase.ENDED)


def test_only_from_its_start_or_its_run_is_a_member_told_to_stop() -> None:
    told = {Phase.PRE_STOP, Phase.DRAINING, Phase.STOPPING}
    before = STARTABLE | {Phase.PRE_STOP, Phase.DRAINING}
    assert {phase for phase in Phase if MOVES[phase] & told} == before


def test_what_is_at_rest_has_no_deadline() -> None:
    notes = comments(Phase)
    assert all("no deadline" in notes[phase.name] for phase in AT_REST)


def lives() -> Iterator[World]:
    """Some random ones, and one that has what is rare: a death long after SIGKILL."""
    for seed in range(600):
        yield live_through(seed)[0]
    late, draining = Script(drains=inf, dies_within=11), Script(drains=25)
    world = up(group(sidecar("a", stop_grace=1), primary(), grace=30), {"a": late, "app": draining})
    world.stop()
    world.run_to_the_end()
    yield world


def moves(world: World) -> set[tuple[Phase, Phase]]:
    at = defaultdict(lambda: Phase.WAITING)
    found = set()
    for entry in world.journal:
        for effect in entry.effects:
            if isinstance(effect, do.Moved) and not effect.run:
                at[effect.member] = Phase.WAITING  # it may have another's name
            if isinstance(effect, do.Moved):
                found.add((at[effect.member], effect.phase))
                at[effect.member] = effect.phase
    return found


def test_every_move_of_the_table_happens() -> None:
    seen = set[tuple[Phase, Phase]]().union(*map(moves, lives()))
    assert {(phase, to) for phase in Phase for to in MOVES[phase]} - seen == set()


def test_a_crash_loop_without_a_pause_leaves_no_timers_behind() -> None:
    member = sidecar("a", on_failure=Fate.RESTART, start_timeout=3600)
    spec = group(member, primary(), restart=Restart(initial=0.0), max_runtime=1800)
    world = up(spec, {"a": leaves(0.001, code=1)})
    for _ in range(5000):
        world.tick()
    assert len(world.state.timers) < 100
