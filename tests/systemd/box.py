"""A box: this machine's own systemd as PID 1 of namespaces, above a file system that vanishes.

What it sees is this machine's, and what it changes is gone with it; /run and /tmp are empty, and no
pairvisor was ever here. It has no network but a loopback of its own. It takes root, and no virtual
machine. However the tests end, nothing of it is left.
"""

import functools
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pairvisor.runtime import cgroup, kernel
from tests.support import WITHIN, eventually

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("box.sh")
SYSTEMD = "/lib/systemd/systemd"
LEFT_OUT = shutil.ignore_patterns(
    "pip*", "mypy*", "ruff*", "grpc*", "hypothesis*", "_pytest", "setuptools*"
)
SITE = "/usr/lib/pairvisor-of-the-tests"
LAUNCHER = f"""#!/bin/sh
exec env PYTHONPATH={SITE} PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -P -m pairvisor "$@"
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What this machine may have of pairvisor, installed or from groups that root has run.
HIDDEN = ("/etc/pairvisor", "/var/lib/pairvisor", "/var/log/pairvisor")
STARTED = "39f53479d3a045ac8e11786248231fbf"  # SD_MESSAGE_UNIT_STARTED of sd-messages.h
# All of what a box needs: namespaces, and a file system above this machine's.
TRIAL = """
mount -t tmpfs trial /tmp && cd /tmp && mkdir up work root &&
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
"""
# Waits until who made the box is gone, and then removes what the kernel wouldn't.
JANITOR = """
read -r _
[ -d "$0" ] || exit 0
echo 1 > "$0/cgroup.kill"
for _ in $(seq 500); do
  find "$0" -depth -type d -exec rmdir {} + 2> /dev/null
  [ -d "$0" ] || exit 0
  sleep 0.02
done
"""


def cgroup_mount() -> str:
    """Of version 2; empty where it is not mounted."""
    return cgroup.find_cgroup().mount


@functools.cache
def why_no_box() -> str:
    """Empty where there can be one."""
    if os.geteuid() != 0:
        return "only root can boot a box"
    missing = [tool for tool in ("unshare", "nsenter", "setpriv") if not shutil.which(tool)]
    missing += [] if os.path.exists(SYSTEMD) and shutil.which("dbus-daemon") else ["systemd, dbus"]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not os.access(cgroup_mount() or "/none", os.W_OK):
        return "cgroup v2 is not mounted, or can't be written to"
    script = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    fits = ["/usr/bin/python3", "-c", script]
    if not os.path.exists(fits[0]) or subprocess.run(fits, check=False).returncode:
        return "/usr/bin/python3 is not there, or has another version than this Python"
    tried = ["unshare", "--mount", "--pid", "--ipc", "--net", "--cgroup", "--fork", "sh", "-c"]
    done = subprocess.run([*tried, TRIAL], stderr=subprocess.PIPE, text=True, check=False)
    return f"no box can be made here: {done.stderr.strip()}" if done.returncode else ""


needs_box = pytest.mark.skipif(bool(why_no_box()), reason=why_no_box())


class Box:
    """From `boxed`. `pid` is PID 1's, as seen from here."""

    def __init__(self, folder: Path) -> None:
        self._place = folder / "box"
        self._place.mkdir()
        self.cgroup = f"{cgroup_mount()}/pairvisor-box-{os.getpid()}-{id(self):x}"
        # In sessions of their own, a Ctrl-C doesn't reach them before us.
        self._janitor = subprocess.Popen(
            ["sh", "-c", JANITOR, self.cgroup], stdin=subprocess.PIPE, start_new_session=True
        )
        make = f"mount -t tmpfs -o mode=755 box {self._place} && cd {self._place}"
        make += " && mkdir up work root && touch console && echo && exec sleep infinity"
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", make],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        self._systemd: subprocess.Popen[bytes] | None = None
        self.pid = 0

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file in the box, before or after it was booted."""
        self.put_bytes(path, text.encode(), mode)

    def put_bytes(self, path: str, content: bytes, mode: int = 0o644) -> None:
        target = f"/proc/{self.pid}/root{path}" if self.pid else f"{self._upper}{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).write_bytes(content)
        os.chmod(target, mode)

    @property
    def _upper(self) -> str:
        return f"/proc/{self._holder.pid}/root{self._place}/up"

    def hide(self) -> None:
        """What is there of pairvisor, to begin with: overlayfs takes such a device for nothing."""
        for path in filter(os.path.lexists, HIDDEN):
            os.makedirs(os.path.dirname(f"{self._upper}{path}"), exist_ok=True)
            os.mknod(f"{self._upper}{path}", stat.S_IFCHR, os.makedev(0, 0))

    def install(self) -> None:
        """pairvisor as it is here, with what it needs, and its units."""
        site = Path(msgspec.__file__).parent.parent
        shutil.copytree(site, f"{self._upper}{SITE}", ignore=LEFT_OUT)
        shutil.copytree(ROOT / "pairvisor", f"{self._upper}{SITE}/pairvisor", dirs_exist_ok=True)
        self.put("/usr/bin/pairvisor", LAUNCHER, 0o755)
        for path in (ROOT / "systemd").rglob("*.service"):
            kind = "user" if path.parent.name == "user" else "system"
            self.put(f"/usr/lib/systemd/{kind}/{path.name}", path.read_text())
        self.put(
            "/usr/lib/sysusers.d/pairvisor.conf", (ROOT / "systemd/pairvisor.sysusers").read_text()
        )
        self.put(
            "/usr/lib/tmpfiles.d/pairvisor.conf", (ROOT / "systemd/pairvisor.tmpfiles").read_text()
        )

    def boot(self) -> None:
        """Until its units are up."""
        os.mkdir(self.cgroup)
        command = [
            "nsenter",
            f"--target={self._holder.pid}",
            "--mount",
            "setpriv",
            "--pdeathsig",
            "KILL",
        ]
        command += ["sh", "-c", f'echo $$ > {self.cgroup}/cgroup.procs && exec "$@"', "sh"]
        command += ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork"]
        script = f"exec bash {SCRIPT} > {self._place}/console 2>&1"
        command += ["--kill-child=KILL", "--propagation=private", "sh", "-c", script]
        self._systemd = subprocess.Popen(
            command,
            env={"PATH": PATH, "BOX": str(self._place)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        eventually(self._is_up, within=60)
        self.run("systemctl log-target journal")  # up to here the console has it

    def _is_up(self) -> bool:
        assert self._systemd is not None
        assert self._systemd.poll() is None, self._console()
        children = kernel.children_of(self._systemd.pid)
        if not children or kernel.name(children[0]) != "systemd":
            return False
        self.pid = children[0]
        if not os.path.exists(f"/proc/{self.pid}/root/run/systemd/private"):
            return False
        state = self.run("systemctl is-system-running || true")
        return state.strip() in ("running", "degraded")

    def _console(self) -> str:
        return Path(f"/proc/{self._holder.pid}/root{self._place}/console").read_text()

    def reboot(self) -> None:
        """Its files stay, nothing else does."""
        self.run("systemctl poweroff --no-wall || true")
        assert self._systemd is not None
        try:
            self._systemd.wait(30)
        except subprocess.TimeoutExpired:  # its last process waits for some other: pull the plug
            self._systemd.kill()
            self._systemd.wait()
        self._forget()
        self.boot()

    def _forget(self) -> None:
        self.pid = 0
        cgroup.sweep(self.cgroup)

    def fails(self, script: str) -> str:
        """What it says; it has to end with another status than 0."""
        said = self.run(f"({script}); echo status: $?")
        assert not said.endswith("status: 0\n"), said
        return said

    def run(self, script: str, *, check: bool = True, within: float = 60) -> str:
        """What a shell's script says there, stderr included."""
        ran = subprocess.run(
            [*self.inside, "bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=within,
            check=False,
        )
        assert ran.returncode == 0 or not check, ran.stdout
        return ran.stdout

    @property
    def inside(self) -> list[str]:
        """The beginning of a command that runs there, beside the units."""
        spaces = ["-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w"]
        clean = ["env", "-i", f"PATH={PATH}", "LANG=C.UTF-8", "HOME=/root"]
        return ["nsenter", f"--target={self.pid}", *spaces, "--", *clean]

    def show(self, unit: str, *names: str) -> list[str]:
        """A unit's properties."""
        said = self.run(f"systemctl show {unit} -p {','.join(names)}")
        found = dict(line.split("=", 1) for line in said.splitlines())
        return [found[name] for name in names]

    def entries(self, count: int, *words: str, within: float = WITHIN) -> list[dict[str, Any]]:
        """The first so many entries of the journal that match, once they are there."""
        follow = ["journalctl", "--follow", "--lines=all", "--output=json", "--all", *words]
        with subprocess.Popen(
            ["timeout", str(within), *self.inside, "setpriv", "--pdeathsig", "KILL", *follow],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            found = [json.loads(line) for line in islice(process.stdout, count)]
            process.terminate()
        assert len(found) == count, f"not within {within:g} s: {count} of {words}, but {found}"
        return found

    def started(self, unit: str, times: int, within: float = WITHIN) -> None:
        """Wait until the unit has become active so many times since its machine was made."""
        self.entries(times, f"UNIT={unit}.service", f"MESSAGE_ID={STARTED}", within=within)

    def journal(self, *words: str) -> list[dict[str, Any]]:
        """The entries that match, the oldest first."""
        said = self.run(f"journalctl --sync; journalctl -o json --all {' '.join(words)}")
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    def end(self) -> None:
        if self._systemd is not None:
            self._systemd.kill()  # unshare, with which its child is killed
            self._systemd.wait()
            self._forget()
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout is not None:
            self._holder.stdout.close()
        self._janitor.communicate()


@contextmanager
def boxed(folder: Path, *, installed: bool = True) -> Iterator[Box]:
    """A box that is up, with pairvisor."""
    box = Box(folder)
    try:
        box.hide()
        if installed:
            box.install()
        box.boot()
        if installed:
            box.run("systemd-sysusers; systemd-tmpfiles --create pairvisor.conf")
        yield box
    finally:
        box.end()
