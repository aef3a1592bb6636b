"""Writes lines that follow from a seed, and keeps account of the bytes that the kernel took.

    numbered.py SEED ACCOUNTS

In ACCOUNTS there is a file for each run: how much was taken by the writes that have returned.
"""

import os
import random
import sys
from collections.abc import Iterator

STDOUT = 1


def pieces(seed: str, run: str) -> Iterator[bytes]:
    """What is written at once: a line or a part of one, of any bytes, in less than PIPE_BUF."""
    chance = random.Random(f"{seed}/{run}")
    for number in range(10**9):
        length = chance.choice([0, 3, 40, 40, 200, 3000])
        body = chance.randbytes(length).replace(b"\n", b"")
        end = chance.choice([b"\n", b"\n", b"\n", b""])
        yield f"{run}.{number} ".encode() + body + end


def main() -> None:
    seed, accounts = sys.argv[1:]
    run = os.environ["PAIRVISOR_RESTARTS"]
    account = os.open(f"{accounts}/{run}", os.O_WRONLY | os.O_CREAT, 0o600)
    taken = 0
    for piece in pieces(seed, run):
        taken += os.write(STDOUT, piece)
        os.pwrite(account, b"%020d" % taken, 0)


if __name__ == "__main__":
    main()
