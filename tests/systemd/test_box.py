"""The box that the others run in keeps what it promises."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import eventually, gone
from tests.systemd.box import ROOT, Box, needs_box

pytestmark = [needs_box, pytest.mark.slow]

MAKER = """
import sys
from pathlib import Path
from tests.systemd.box import Box
box = Box(Path(sys.argv[1]))
box.boot()
print(box.cgroup, box.pid, flush=True)
sys.stdin.read()
"""


def test_nothing_is_left_of_it_when_its_maker_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAKER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as maker:
        assert maker.stdout is not None
        cgroup, pid = maker.stdout.readline().split()
        assert Path(cgroup, "init.scope").is_dir()
        maker.send_signal(signal.SIGKILL)
    gone(int(pid))
    eventually(lambda: not Path(cgroup).exists())


def test_the_machine_is_as_it_was(tmp_path: Path) -> None:
    box = Box(tmp_path)
    try:
        box.boot()
        box.run("touch /etc/of-the-box; hostname of-the-box")
        with pytest.raises(AssertionError, match="not within"):
            box.entries(1, "MESSAGE=nobody said this", within=0.5)
        assert box.run("test -e /etc/of-the-box; cat /proc/1/comm") == "systemd\n"
        assert box.fails("exit 3").endswith("status: 3\n")
    finally:
        box.end()
    assert not Path("/etc/of-the-box").exists()
    assert not Path(box.cgroup).exists()
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
