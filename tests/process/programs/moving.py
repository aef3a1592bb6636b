"""Moves its standard input into a file, so that a byte is always in one of them and never in both.

    moving.py FILE

splice(2) does that, whenever the process is killed. A line that the last run had read only a part
of comes again as a whole, so that part is forgotten first.
"""

import os
import sys

STDIN = 0


def main() -> None:
    file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
    whole = os.pread(file, os.fstat(file).st_size, 0).rfind(b"\n") + 1
    os.ftruncate(file, whole)
    os.lseek(file, whole, os.SEEK_SET)
    while os.splice(STDIN, file, 1 << 16):
        pass


if __name__ == "__main__":
    main()
