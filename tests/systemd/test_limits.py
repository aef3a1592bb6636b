"""Limits bite: in a VM with cgroup v2's controllers.

| promise | test |
| --- | --- |
| memory.max: killed and named, the neighbour runs on | test_memory |
| cpu.max, pids.max | test_processors_and_processes |
| the group's own | test_the_groups_memory |
| a change holds from a reload on, without a restart | test_a_reload |
| nothing of it is left, whoever was killed | test_nothing_is_left |
"""

import re
from pathlib import Path

import pytest

from tests.systemd.vm import needs_vm, run

pytestmark = [needs_vm, pytest.mark.timeout(300)]
EATER = """
import sys, time
kept = []
while True:
    kept.append(bytearray(1 << 20))
    time.sleep(0.005)
"""
LEFT = "find /sys/fs/cgroup -name 'pairvisor-*' | sed 's/^/left: /'\n"


def test_memory(tmp_path: Path) -> None:
    (tmp_path / "eater.py").write_text(EATER)
    (tmp_path / "pairvisor.toml").write_text("""
name = "test"
[sidecars.neighbour]
command = ["sh", "-c", "echo neighbour started; exec sleep inf"]
[sidecars.eater]
command = ["sh", "-c", "echo eater started; python3 eater.py & wait"]
limits = { memory = "64MiB" }
on_failure = "restart"
[primary]
command = ["sleep", "20"]
""")
    said = run(tmp_path, f"$UNIT up\necho status: $?\n{LEFT}")
    assert "eater was killed by SIGKILL (out of memory)" in said
    assert said.count("eater started") >= 2
    assert said.count("neighbour started") == 1
    assert "status: 0" in said
    assert "left:" not in said


def test_the_groups_memory(tmp_path: Path) -> None:
    (tmp_path / "eater.py").write_text(EATER)
    (tmp_path / "pairvisor.toml").write_text("""
name = "test"
limits = { memory = "96MiB" }
[sidecars.small]
command = ["sleep", "inf"]
[primary]
command = ["python3", "eater.py"]
on_failure = "teardown"
""")
    said = run(tmp_path, f"$UNIT up\necho status: $?\n{LEFT}")
    assert "failed: primary was killed by SIGKILL (out of memory)" in said
    assert "status: 137" in said
    assert "left:" not in said


def test_processors_and_processes(tmp_path: Path) -> None:
    (tmp_path / "pairvisor.toml").write_text("""
name = "test"
[sidecars.busy]
command = ["sh", "-c", "while :; do :; done"]
limits = { cpu = 0.2 }
[sidecars.bomb]
command = ["sh", "-c", "b() { b | b & }; b; sleep inf"]
limits = { pids = 20 }
on_failure = "restart"
[primary]
command = ["sh", "-c", '''
sleep 5
cd /sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup)/../..
echo "usage: $(grep usage_usec busy/cpu.stat) throttled: $(grep nr_throttled busy/cpu.stat)"
echo "pids: $(cat bomb/pids.current) events: $(cat bomb/pids.events)"
''']
""")
    said = run(tmp_path, f"$UNIT up\necho status: $?\n{LEFT}")
    usage = re.search(r"usage: usage_usec (\d+) throttled: nr_throttled (\d+)", said)
    assert usage is not None
    assert int(usage[1]) < 5e6 * 0.2 * 2
    assert int(usage[2]) > 0
    pids = re.search(r"pids: (\d+) events: max (\d+)", said)
    assert pids is not None
    assert int(pids[1]) <= 20
    assert int(pids[2]) > 0
    assert "status: 0" in said
    assert "left:" not in said


def test_a_reload(tmp_path: Path) -> None:
    manifest = """
name = "test"
[primary]
command = ["sleep", "inf"]
limits = { memory = "MEMORY" }
"""
    (tmp_path / "pairvisor.toml").write_text(manifest.replace("MEMORY", "64MiB"))
    (tmp_path / "other.toml").write_text(manifest.replace("MEMORY", "128MiB"))
    script = """
$UNIT up & PID=$!
pairvisor status --wait ready >/dev/null
read() { cat /sys/fs/cgroup/system.slice/*/pairvisor-test-*/members/primary/memory.max; }
echo before: $(read); MAIN=$(pairvisor status --json | grep -o '"pid":[0-9]*')
cp other.toml pairvisor.toml; pairvisor reload; echo after: $(read)
[ "$MAIN" = "$(pairvisor status --json | grep -o '"pid":[0-9]*')" ] && echo same
pairvisor down; wait $PID; echo status: $?
"""
    said = run(tmp_path, script + LEFT)
    assert f"before: {64 << 20}" in said
    assert f"after: {128 << 20}" in said
    assert "primary runs on: limits from now on" in said
    assert "same" in said
    assert "status: 0" in said
    assert "left:" not in said


def test_nothing_is_left(tmp_path: Path) -> None:
    """Guard and supervisor killed at once, in a scope: the next start sweeps what they left."""
    (tmp_path / "pairvisor.toml").write_text("""
name = "test"
[primary]
command = ["sh", "-c", "env -i setsid sleep 1234 & echo up; sleep inf"]
limits = { pids = 50 }
""")
    script = """
systemd-run --quiet --scope -p Delegate=yes /usr/bin/python3 -m pairvisor up & sleep 0
pairvisor status --wait ready >/dev/null; until pgrep -xf 'sleep 1234'; do :; done
kill -STOP $(pgrep -f 'pairvisor up'); kill -9 $(pgrep -f 'pairvisor up')
echo strays: $(pgrep -xfc 'sleep 1234')
$UNIT up & PID=$!
pairvisor status --wait ready >/dev/null; until [ $(pgrep -xfc 'sleep 1234') = 1 ]; do :; done
echo strays then: $(pgrep -xfc 'sleep 1234')
pairvisor down; wait $PID; echo status: $?
echo strays at last: $(pgrep -xfc 'sleep 1234')
"""
    said = run(tmp_path, script + LEFT)
    assert "strays: 1" in said
    assert "strays then: 1" in said
    assert "strays at last: 0" in said
    assert "left:" not in said
