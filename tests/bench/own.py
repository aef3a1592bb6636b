#!/usr/bin/env python3
"""What only pairvisor has: the restart of a whole group, the control; and what `--version` costs.

    PAIRVISOR=… ./own.py
"""

import json
import os
import signal
import socket
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


class Controlled:
    """A group of ten in the background, whose primary runs that command."""

    def __init__(self, program: Path, folder: Path, primary: str) -> None:
        (folder / "x").mkdir(mode=0o700)
        sidecars = "".join(f'[sidecars.s{i}]\ncommand = "sleep 1000"\n' for i in range(9))
        (folder / "pairvisor.toml").write_text(f'name = "g"\n[primary]\n{primary}\n{sidecars}')
        self.folder = folder
        self.program = str(program)
        self.socket = folder / "x/pairvisor/g/control.sock"
        self.env = {**os.environ, "XDG_RUNTIME_DIR": f"{folder}/x", "XDG_STATE_HOME": f"{folder}/s"}

    def run(self, *command: str) -> float:
        """Milliseconds."""
        began = time.perf_counter()
        subprocess.run([self.program, *command], check=True, stdout=subprocess.DEVNULL,
                       cwd=self.folder, env=self.env)
        return (time.perf_counter() - began) * 1e3

    def ask(self) -> float:
        """Milliseconds from connect to the whole status."""
        began = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.socket))
            client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := client.recv(1 << 16):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200")
        return (time.perf_counter() - began) * 1e3

    def say(self, what: str) -> None:
        self.ask()
        times = sorted(self.ask() for _ in range(300))
        print(f"status on the socket, {what}: median {statistics.median(times):.1f}, "
              f"worst of 300 {times[-1]:.1f} ms")


def control(program: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        group = Controlled(program, Path(folder), 'command = "sleep 1000"')
        up = group.run("up", "-d")
        times = [group.run("status") for _ in range(31)]
        print(f"up -d of ten: {up:.0f} ms; status of ten, whole process: "
              f"median {statistics.median(times):.0f}, worst of 31 {max(times):.0f} ms")
        group.say("nothing else going on")
        hanging = []
        for _ in range(1000):
            client = socket.socket(socket.AF_UNIX)
            hanging.append(client)
            client.connect(str(group.socket))
            try:
                client.send(b"GET /v1/sta")
            except OSError:
                pass
        group.say("1,000 clients that hang")
        for client in hanging:
            client.close()
        group.run("down")
    with tempfile.TemporaryDirectory() as folder:
        line = "x" * 99
        group = Controlled(program, Path(folder), f'command = "yes {line}"')
        group.run("up", "-d")
        group.say("a member that prints as fast as it can")
        before, began = written(group), time.monotonic()
        time.sleep(2)
        print(f"  it printed {(written(group) - before) / (time.monotonic() - began) / 1e6:.0f} MB/s")
        group.run("down")
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/s")
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", f"{folder}/s"], check=True)
            try:
                full(Controlled(program, Path(folder), 'command = "sleep 1000"'))
            finally:
                subprocess.run(["umount", "-l", f"{folder}/s"], check=True)


def full(group: Controlled) -> None:
    group.run("up", "-d")
    with open(group.folder / "s/ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 256)
        except OSError:
            pass
    for _ in range(50):
        group.run("restart", "--no-wait", "s1")
    assert "degraded" in subprocess.run([group.program, "status"], cwd=group.folder, env=group.env,
                                        capture_output=True, text=True, check=True).stdout
    group.say("a state folder that is full")
    group.run("down")


def written(group: Controlled) -> int:
    out = subprocess.run([group.program, "status", "--json"], cwd=group.folder, env=group.env,
                         capture_output=True, text=True, check=True).stdout
    return next(m["log_bytes"] for m in json.loads(out)["members"] if m["name"] == "primary")


def main() -> None:
    program = Path(os.environ["PAIRVISOR"])
    python = str(program.parent / "python")
    with tempfile.TemporaryDirectory() as folder:
        probe = h.build_probe(Path(folder))
        for members in (3, 100):
            times = [group_restart(probe, members) for _ in range(9)]
            print(f"group restart, {members}: {statistics.median(times):.1f} ms "
                  f"({min(times):.1f} to {max(times):.1f})")
    control(program)
    pairs = [(took([str(program), "--version"]), took([python, "-c", "pass"])) for _ in range(21)]
    more = statistics.median(a - b for a, b in pairs)
    print(f"--version: {more:.0f} ms more than python -c pass")


if __name__ == "__main__":
    sys.exit(main())
