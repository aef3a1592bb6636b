"""What a row of a probe's results means, and when it is tried again."""

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from pairvisor.core.probing import Verdict, is_told, pause, record
from pairvisor.core.state import Tally
from pairvisor.manifest.group import Method, Probe, Purpose

RESULTS = st.lists(st.booleans(), max_size=60)
PROBES = st.builds(
    Probe,
    method=st.sampled_from(Method),
    interval=st.floats(0.01, 60),
    failures=st.integers(1, 5),
    successes=st.integers(1, 5),
)


def verdicts(probe: Probe, tally: Tally, results: str) -> str:
    """One letter for each result: . nothing, P passed, F failed."""
    letters = {Verdict.NOTHING: ".", Verdict.PASSED: "P", Verdict.FAILED: "F"}
    return "".join(letters[record(probe, tally, result == "+")] for result in results)


def test_thresholds_count_results_in_a_row() -> None:
    probe = Probe(method=Method.EXEC, failures=3, successes=2)
    assert verdicts(probe, Tally(), "+-++--+---+++") == "...P.....F.P."


def test_what_has_not_passed_cannot_fail() -> None:
    assert verdicts(Probe(method=Method.EXEC, failures=1), Tally(), "-----") == "....."


def test_a_live_probe_has_passed_from_the_beginning() -> None:
    probe = Probe(method=Method.EXEC, failures=2)
    assert verdicts(probe, Tally(passed=True), "+-+--") == "....F"


@given(PROBES, RESULTS, st.booleans())
def test_passed_and_failed_take_turns(probe: Probe, results: list[bool], passed: bool) -> None:
    tally = Tally(passed=passed)
    told = [
        verdict
        for result in results
        if (verdict := record(probe, tally, result)) != Verdict.NOTHING
    ]
    first = Verdict.FAILED if passed else Verdict.PASSED
    assert told[:1] in ([], [first])
    assert all(one is not other for one, other in pairwise(told))


@given(PROBES, RESULTS)
def test_tallies_count(probe: Probe, results: list[bool]) -> None:
    tally = Tally()
    for result in results:
        record(probe, tally, result)
        assert (tally.passes > 0) == result
        assert (tally.fails > 0) != result
    assert tally.tries == len(results)


@given(PROBES, st.sampled_from(Purpose), st.integers(1, 10_000), st.booleans())
def test_pauses_grow_to_the_interval(
    probe: Probe, purpose: Purpose, tries: int, passed: bool
) -> None:
    now = pause(probe, purpose, Tally(tries=tries, passed=passed))
    then = pause(probe, purpose, Tally(tries=tries + 1, passed=passed))
    assert 0 < now <= then <= probe.interval


def test_what_is_ready_is_seen_within_a_quarter_of_the_time_that_it_took() -> None:
    probe = Probe(method=Method.TCP, interval=60)
    pauses = [pause(probe, Purpose.READY, Tally(tries=tries)) for tries in range(1, 30)]
    waited = list(accumulate(pauses))
    assert pauses[0] <= 0.05
    assert all(last <= 0.0501 + total / 4 for last, total in zip(pauses[1:], waited, strict=False))


def test_once_it_has_passed_and_for_live_the_interval_holds() -> None:
    probe = Probe(method=Method.TCP, interval=1)
    assert pause(probe, Purpose.READY, Tally(tries=1, passed=True)) == 1
    assert pause(probe, Purpose.LIVE, Tally(tries=1, passed=True)) == 1


def test_what_the_member_says_by_itself_is_not_asked_again() -> None:
    told = [(m, p) for m in Method for p in Purpose if is_told(Probe(method=m), p)]
    assert told == [
        (Method.NOTIFY, Purpose.STARTUP),
        (Method.NOTIFY, Purpose.READY),
        (Method.LOG, Purpose.STARTUP),
        (Method.LOG, Purpose.READY),
    ]
