"""`python -m tests.fuzz --minutes N`: schemathesis through the front door, atheris on the bytes.

A real group is asked whatever its OpenAPI document allows, and what it doesn't; afterwards it has
to answer as before, in as much memory and with as many descriptors.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pairvisor.api.routes import ROUTES
from tests.fuzz.relay import Relay
from tests.support import Up, up

GROUP = """
    [primary]
    name = "web"
    command = ["sh", "-c", "echo serving; exec sleep 100000"]

    [sidecars.tls]
    command = ["sh", "-c", "echo ready; exec sleep 100000"]
"""
GROWTH = 16 << 10  # KiB that a supervisor may be larger than when it had answered each route once


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each of the two")
    minutes = parser.parse_args().minutes
    bad = schemathesis(minutes) or atheris(minutes)
    print("nothing found" if not bad else "FOUND something: see above")  # noqa: T201
    return bad


def schemathesis(minutes: float) -> int:
    """Against a real group; 1 if it found a 500, a wrong answer, a hang, or growth."""
    with tempfile.TemporaryDirectory() as folder, up(Path(folder), GROUP) as group:
        group.read_until("group test is ready")
        with Relay(str(group.run / "control.sock")) as relay:
            _ask(relay.url, 1)
            before = _resources(group)
            bad = _ask(relay.url, max(int(minutes * 60), 1))
        after = _resources(group)
    print(f"memory and descriptors before: {before}, after: {after}")  # noqa: T201
    return int(bool(bad) or after[0] > before[0] + GROWTH or after[1] > before[1] + 5)


def _ask(url: str, seconds: int) -> int:
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks"}
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/v1/openapi.json"]
    options = ["--checks=not_a_server_error,status_code_conformance,content_type_conformance"]
    options[0] += ",response_schema_conformance"
    # A group that is stopped can't be asked any further, and a stream never ends.
    options += ["--exclude-path=/v1/stop", "--mode=all", "--phases=examples,coverage,fuzzing"]
    options += ["--request-timeout=5", "--max-examples=100000", "--generation-database=none"]
    options += [f"--max-time={seconds}"]
    return subprocess.run([*command, *options], env=environment, check=False).returncode


def _resources(group: Up) -> tuple[int, int]:
    """KiB that are resident, and open descriptors."""
    proc = Path(f"/proc/{group.supervisor}")
    lines = (proc / "status").read_text().splitlines()
    size = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(size), len(os.listdir(proc / "fd"))


def atheris(minutes: float) -> int:
    """Against the server in this process; 1 if it found a mistake of ours, a hang, or growth."""
    seconds = max(int(minutes * 60), 1)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=600", "-timeout=5", "-max_len=4096"]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            Path(corpus, str(number)).write_bytes(seed)
        command = [sys.executable, "-m", "tests.fuzz.requests", corpus, *options]
        return subprocess.run(command, check=False).returncode


def seeds() -> Iterator[bytes]:
    """A good request for each route, from which the others are made."""
    bodies = {
        "/v1/signal": b'{"member": "web", "signal": "HUP"}',
        "/v1/reload": b'{"dry_run": true}',
        "/v1/exec": b'{"member": "web", "command": ["id"], "terminal": false, "env": {"A": "b"}}',
    }
    for route in ROUTES:
        head = f"{route.method} {route.path} HTTP/1.1\r\nHost: x\r\n".encode()
        body = bodies.get(route.path, b'{"members": ["tls"]}') if route.method == "POST" else b""
        yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        yield head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    for query in ("member=web&n=10&previous=true", "follow=true&since=2026-05-01T12:00:00Z"):
        yield f"GET /v1/logs?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


if __name__ == "__main__":
    sys.exit(main())
