"""`launcher.py WHO python -m pairvisor …`: as without it, but WHO stops at its beginning.

A tracer that is attached then counts nobody's calls but WHO's: strace -f would count for each
process and thread apart, and hit guard, members and pump alike at their N-th.

| who | where it stops |
| --- | --- |
| guard | before the supervisor is forked |
| main | the supervisor, when it has been forked |
| pump | the supervisor's second thread, at its beginning |
"""

import os
import signal
import sys


def main() -> None:
    who, *words = sys.argv[1:]
    sys.argv = ["pairvisor", *words[words.index("pairvisor") + 1 :]]
    del sys.path[0]  # the modules beside this one are not for pairvisor
    stop_at(who)
    from pairvisor.__main__ import main as run  # noqa: PLC0415 - not from sys.path[0]

    run()


def stop_at(who: str) -> None:
    from pairvisor.runtime import guard  # noqa: PLC0415 - not from sys.path[0]

    fork = guard.fork

    def fork_and_stop() -> None:
        if who == "guard":
            stop()
        fork()
        if who == "main":
            stop()
        if who == "pump":
            stop_pump()

    guard.fork = fork_and_stop


def stop_pump() -> None:
    from pairvisor.runtime.logs.pump import Pump  # noqa: PLC0415 - nothing heavy for the guard

    run = Pump._run

    def stop_and_run(self: Pump) -> None:
        stop()
        run(self)

    Pump._run = stop_and_run  # type: ignore[method-assign]


def stop() -> None:
    """All threads of this process, until somebody continues them."""
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main()
