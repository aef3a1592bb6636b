#!/usr/bin/env python3
"""What only pairvisor has: the restart of a whole group; and what `--version` costs.

    PAIRVISOR=… ./own.py
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness as h
from adapters import Options, Pairvisor
from harness import Run


def group_restart(probe: Path, members: int) -> float:
    """Milliseconds from SIGKILL of one member to the record of the last of its successors."""
    with Run(Pairvisor, probe) as run:
        run.start(run.sleepers(members), Options(shared_fate=True))
        run.wait_count(members)
        time.sleep(1)
        victim = next(pid for name, pid, _ in run.read() if name == "c001")
        began = time.monotonic_ns()
        os.kill(victim, signal.SIGKILL)
        assert run.wait_count(2 * members)
        return (max(ns for _, _, ns in run.read()) - began) / 1e6


def took(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    program = Path(os.environ["PAIRVISOR"])
    python = str(program.parent / "python")
    with tempfile.TemporaryDirectory() as folder:
        probe = h.build_probe(Path(folder))
        for members in (3, 100):
            times = [group_restart(probe, members) for _ in range(9)]
            print(f"group restart, {members}: {statistics.median(times):.1f} ms "
                  f"({min(times):.1f} to {max(times):.1f})")
    pairs = [(took([str(program), "--version"]), took([python, "-c", "pass"])) for _ in range(21)]
    more = statistics.median(a - b for a, b in pairs)
    print(f"--version: {more:.0f} ms more than python -c pass")


if __name__ == "__main__":
    sys.exit(main())
