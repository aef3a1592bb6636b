"""Random lives, one after the other, for as long as is asked: `make sim`.

    python -m tests.sim [--minutes N] [--seed S] [--size MEMBERS] [--lives N]

Life number i of seed S is made from S + i alone; a violation is shown with that number and the
journal's tail, and `--seed S+i --lives 1` runs it again.
"""

import argparse
import sys
from random import Random
from time import monotonic

from tests.sim.groups import SIZES, live_through
from tests.sim.world import World


def main() -> int:
    arguments = parse()
    seed = Random().randrange(2**32) if arguments.seed is None else arguments.seed
    say(f"seed {seed}")
    began = monotonic()
    steps = lives = 0
    while monotonic() < began + arguments.minutes * 60 and lives < arguments.lives:
        world, wrong = live_through(seed + lives, arguments.size)
        if wrong is not None:
            say(f"\nseed {seed + lives}, life {lives}: {wrong!r}\n{tail(world)}")
            return 1
        lives += 1
        steps += world.steps
    seconds = monotonic() - began
    say(f"{lives} lives, {steps} steps in {seconds:.1f} s: {steps / seconds:,.0f} steps/s")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--size", type=int, help=f"members of a group (default: one of {SIZES})")
    parser.add_argument("--lives", type=float, default=float("inf"))
    return parser.parse_args()


def tail(world: World, lines: int = 60) -> str:
    entries = list(world.journal)[-lines:]
    told = [
        f"{e.time:10.3f} {e.event}\n" + "".join(f"{'':13}{x}\n" for x in e.effects) for e in entries
    ]
    return f"{world.spec}\n" + "".join(told)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
