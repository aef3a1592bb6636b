"""The Debian package from its installation to its purge, in a box with a systemd of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pairvisor import __version__
from tests.packaging.conftest import the_one
from tests.support import eventually
from tests.systemd.box import Box, needs_box

pytestmark = [pytest.mark.slow, needs_box, pytest.mark.timeout(300)]
MANIFEST = """
[primary]
command = ["sleep", "inf"]
"""
TRACES = "find /etc /usr /var/lib /var/log /var/cache /run -xdev -name '*pairvisor*' | sort"
WITHIN = 180.0  # seconds: dpkg syncs


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """One in which pairvisor is not installed yet."""
    box = Box(tmp_path)
    try:
        box.boot()
        yield box
    finally:
        box.end()


def newer(deb: Path, folder: Path, version: str) -> Path:
    """The same package, as it would be of a later version."""
    root = folder / version
    subprocess.run(["dpkg-deb", "-R", str(deb), str(root)], check=True)
    for name in ("DEBIAN/control", "usr/lib/pairvisor/pairvisor/__init__.py"):
        path = root / name
        path.write_text(path.read_text().replace(__version__, version))
    target = folder / f"{version}.deb"
    subprocess.run(["dpkg-deb", "-Znone", "-b", str(root), str(target)], check=True)
    return target


def install(box: Box, deb: Path) -> str:
    shutil.copy(deb, f"/proc/{box.pid}/root/root/pairvisor.deb")
    return box.run("dpkg -i /root/pairvisor.deb", within=WITHIN)


def pids(box: Box) -> str:
    """Of the supervisor and the member."""
    return box.run("systemctl show -P MainPID pairvisor@web; pgrep -x -f 'sleep inf'")


def taken_over(box: Box) -> list[str]:
    entries = box.journal("GROUP=web", "EVENT=reexecuted")
    return [entry["MESSAGE"] for entry in entries]


def test_its_life(box: Box, built: Path, tmp_path: Path) -> None:
    deb = the_one(built, "*.deb")
    before = box.run(TRACES)

    install(box, deb)
    check_it_is_on_its_own(box)
    assert "pairvisor" in box.run("getent passwd pairvisor")
    box.put("/etc/pairvisor/web.toml", MANIFEST)
    box.run("pairvisor check --file /etc/pairvisor/web.toml")
    box.run("systemctl enable --now pairvisor@web")
    running = pids(box)

    # The admin wants no upgrade to reach what runs; then he does.
    box.put("/etc/default/pairvisor", "REEXEC_ON_UPGRADE=no\n")
    install(box, newer(deb, tmp_path, "0.1.1"))
    assert pids(box) == running
    box.put("/etc/default/pairvisor", "REEXEC_ON_UPGRADE=yes\n")
    install(box, newer(deb, tmp_path, "0.1.2"))
    eventually(lambda: taken_over(box))
    (said,) = taken_over(box)
    assert "pairvisor 0.1.2 has taken over from" in said
    assert pids(box) == running
    assert box.show("pairvisor@web", "ActiveState", "NRestarts") == ["active", "0"]

    box.run("dpkg --remove pairvisor", within=WITHIN)
    assert box.run("pgrep -x -f 'sleep inf'", check=False) == ""
    assert "/usr/lib/pairvisor" not in box.run(TRACES).splitlines()
    assert box.run("cat /etc/pairvisor/web.toml") == MANIFEST

    box.run("dpkg --purge pairvisor", within=WITHIN)
    assert box.run(TRACES) == before
    assert "pairvisor" not in box.run("dpkg -l | grep pairvisor", check=False)


def check_it_is_on_its_own(box: Box) -> None:
    """Neither this folder nor the environment has a say in what it imports; and it was compiled."""
    box.put("/tmp/wrong/click.py", "raise SystemExit('the wrong click')\n")
    said = box.run("cd /tmp/wrong; PYTHONPATH=/tmp/wrong pairvisor --help; pairvisor --version")
    assert said.endswith(f"pairvisor {__version__}\n")
    assert os.listdir(f"/proc/{box.pid}/root/usr/lib/pairvisor/pairvisor/__pycache__")
