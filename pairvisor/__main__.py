"""The program's entry: the guard first, for what runs a group, then the command line.

Nothing heavy is imported before the guard is forked.
"""

import os
import sys


def main() -> None:
    """Run the command that the arguments name, and exit."""
    _open_standard_descriptors()
    if sys.argv[1:2] == ["up"] and "--help" not in sys.argv:
        from pairvisor.runtime import guard  # noqa: PLC0415

        guard.fork()
    from pairvisor.cli import pairvisor  # noqa: PLC0415

    pairvisor(prog_name="pairvisor")


def _open_standard_descriptors() -> None:
    """Where one of the first three is closed, the next file opened would be taken for it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


if __name__ == "__main__":
    main()
