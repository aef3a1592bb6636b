"""The exit codes that mean something, after sysexits.h, and the way out with a message."""

import sys
from typing import NoReturn

NO = 1  # the answer is no
USAGE = 2  # as click has it
NOT_RUNNING = 69  # EX_UNAVAILABLE
INTERNAL = 70  # EX_SOFTWARE; of a group also that it can't be killed: core.stopping
CANNOT_CREATE = 73  # EX_CANTCREAT
ALREADY_RUNNING = 75  # EX_TEMPFAIL
NOT_PERMITTED = 77  # EX_NOPERM
BAD_MANIFEST = 78  # EX_CONFIG
INTERRUPTED = 130  # 128 + SIGINT, as a shell has it


def fail(message: str, code: int) -> NoReturn:
    """One line on stderr, and the exit code."""
    sys.stderr.write(f"pairvisor: {message}\n")
    sys.exit(code)
