"""Writes numbered lines, some thousand a second, and keeps account of those that were taken.

paced.py ACCOUNTS
"""

import os
import select
import sys
from itertools import count


def main() -> None:
    run = os.environ["PAIRVISOR_RESTARTS"]
    account = os.open(f"{sys.argv[1]}/{run}", os.O_WRONLY | os.O_CREAT, 0o600)
    for number in count():
        os.write(1, f"{run}.{number}\n".encode())
        os.pwrite(account, b"%020d" % (number + 1), 0)
        select.select([], [], [], 0.0002)


if __name__ == "__main__":
    main()
