"""`python -m tests.sweep`: the supervisor dies, or fails, at each of its system calls in turn.

    python -m tests.sweep [--scenario S] [--who W] [--call C] [--fault F] [--every K] [--seed S]
    python -m tests.sweep --point start/main/openat/EMFILE/12

Points are taken in an order that the seed gives, so that a run that is cut short, by --minutes or
by Ctrl-C, is a sample of all. The exit status is 1 if anything was wrong.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from time import monotonic

from tests.sweep.lives import Outcome, calls_of, try_point
from tests.sweep.points import SCENARIOS, WHO, Point, parse, points
from tests.sweep.tracing import can_trace

ENDS = ("worked", "gave up", "internal", "killed", "not met", "hung")
PROGRESS = 50  # points between two words about how it goes


def main() -> int:
    arguments = read_arguments()
    if why := can_trace():
        say(why)
        return 1
    chosen = [parse(text) for text in arguments.point] or choose(arguments)
    say(f"{len(chosen)} points, seed {arguments.seed}, {arguments.jobs} at a time")
    outcomes = []
    try:
        for outcome in run(chosen, arguments.jobs, arguments.minutes):
            outcomes.append(outcome)
            if outcome.wrong:
                show(outcome)
            if len(outcomes) % PROGRESS == 0:
                say(progress(len(outcomes), len(chosen), outcomes))
    except KeyboardInterrupt:
        say("cut short")
    say(table(outcomes))
    say(faults_of_ours(outcomes))
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    for outcome in wrong:
        say(f"{'; '.join(outcome.wrong)}\n    {outcome.point.command}")
    return 1 if wrong else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sweep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scenario", choices=SCENARIOS)
    parser.add_argument("--who", choices=WHO)
    parser.add_argument("--call")
    parser.add_argument("--fault", help="KILL, or an error's name")
    parser.add_argument("--every", type=int, default=1, help="only each K-th point")
    parser.add_argument("--seed", type=int, default=Random().randrange(2**32))
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--jobs", type=int, default=2, help="lives at a time")
    parser.add_argument("--point", action="append", default=[], help="only this one")
    return parser.parse_args()


def choose(arguments: argparse.Namespace) -> list[Point]:
    scenarios = [arguments.scenario] if arguments.scenario else SCENARIOS
    who = [arguments.who] if arguments.who else WHO
    found = [
        point
        for scenario in scenarios
        for one in who
        for point in points(scenario, one, calls_of(scenario, one))
        if arguments.call in (None, point.call) and arguments.fault in (None, point.fault)
    ]
    Random(arguments.seed).shuffle(found)
    return found[:: arguments.every]


def run(chosen: list[Point], jobs: int, minutes: float) -> Iterator[Outcome]:
    """In that order, so many at a time."""
    end = monotonic() + minutes * 60

    def attempt(point: Point) -> Outcome | None:
        if monotonic() > end:
            return None
        try:
            return try_point(point)
        except Exception as error:
            return Outcome(point, "hung", [f"the sweep itself: {error!r}"])

    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from filter(None, pool.map(attempt, chosen))
        finally:
            pool.shutdown(cancel_futures=True)


def show(outcome: Outcome) -> None:
    said = "".join(f"    | {line}\n" for line in outcome.said.splitlines()[-25:])
    say(f"WRONG {outcome.point}: {'; '.join(outcome.wrong)}\n{said}", end="")


def progress(done: int, of: int, outcomes: list[Outcome]) -> str:
    counts = Counter(outcome.end for outcome in outcomes)
    ends = ", ".join(f"{counts[end]} {end}" for end in ENDS if counts[end])
    return f"{done} of {of}: {ends}; {sum(bool(outcome.wrong) for outcome in outcomes)} wrong"


def table(outcomes: list[Outcome]) -> str:
    """A line for each scenario and thread, one for all."""
    rows = sorted({(o.point.scenario, o.point.who) for o in outcomes})
    lines = [
        f"{'scenario':10}{'who':8}{'points':>8}" + "".join(f"{e:>10}" for e in (*ENDS, "WRONG"))
    ]
    for row in rows:
        mine = [o for o in outcomes if (o.point.scenario, o.point.who) == row]
        lines.append(_line(*row, mine))
    return "\n".join([*lines, _line("all", "", outcomes)])


def faults_of_ours(outcomes: list[Outcome]) -> str:
    """Ends that are clean, but call themselves a bug: by their cause, with one point for each."""
    first: dict[str, Point] = {}
    for outcome in outcomes:
        if match := re.search("internal error: .*", outcome.said):
            first.setdefault(f"{match[0]} ({outcome.point.call})", outcome.point)
    lines = [f"{cause}\n    {point.command}" for cause, point in sorted(first.items())]
    return "\n".join(lines)


def _line(scenario: str, who: str, outcomes: list[Outcome]) -> str:
    counts = Counter(outcome.end for outcome in outcomes)
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    ends = "".join(f"{counts[end]:>10}" for end in ENDS)
    return f"{scenario:10}{who:8}{len(outcomes):>8}{ends}{wrong:>10}"


def say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
