"""A box: this machine's own systemd as PID 1 of namespaces, above a file system that vanishes.

What it sees is this machine's, and what it changes is gone with it; /run and /tmp are empty. It has
no network but a loopback of its own. It takes root, and no virtual machine.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pairvisor.runtime import cgroup, kernel
from tests.support import eventually, gone

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("box.sh")
SYSTEMD = "/lib/systemd/systemd"
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "pip*", "mypy*", "ruff*", "grpc*", "hypothesis*", "_pytest", "setuptools*"
)
SITE = "/usr/lib/pairvisor-of-the-tests"
LAUNCHER = f"""#!/bin/sh
exec env PYTHONPATH={SITE} PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -P -m pairvisor "$@"
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def why_no_box() -> str:
    """Empty where there can be one."""
    if os.geteuid() != 0:
        return "only root can boot a box"
    missing = [tool for tool in ("unshare", "nsenter", "setpriv") if not shutil.which(tool)]
    missing += [] if os.path.exists(SYSTEMD) and shutil.which("dbus-daemon") else ["systemd, dbus"]
    if missing:
        return f"not installed: {', '.join(missing)}"
    said = "import sys; print(sys.version_info[:2])"
    system = subprocess.run(["/usr/bin/python3", "-c", said], capture_output=True, check=False)
    if system.stdout.decode().strip() != str(sys.version_info[:2]):
        return "/usr/bin/python3 has another version than this Python"
    tried = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "true"]
    return "" if subprocess.run(tried, check=False).returncode == 0 else "no namespaces here"


needs_box = pytest.mark.skipif(bool(why_no_box()), reason=why_no_box())


class Box:
    """From `boxed`. `pid` is PID 1's, as seen from here."""

    def __init__(self, folder: Path) -> None:
        self._place = folder / "box"
        self._place.mkdir()
        self._cgroup = f"{kernel_mount()}/pairvisor-box-{os.getpid()}-{id(self):x}"
        make = f"mount -t tmpfs -o mode=755 box {self._place} && cd {self._place}"
        make += " && mkdir up work root && touch console && echo && exec sleep infinity"
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", make],
            stdout=subprocess.PIPE,
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
        os.mkdir(self._cgroup)
        command = [
            "nsenter",
            f"--target={self._holder.pid}",
            "--mount",
            "setpriv",
            "--pdeathsig",
            "KILL",
        ]
        command += ["sh", "-c", f'echo $$ > {self._cgroup}/cgroup.procs && exec "$@"', "sh"]
        command += ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork"]
        script = f"exec bash {SCRIPT} > {self._place}/console 2>&1"
        command += ["--kill-child=KILL", "--propagation=private", "sh", "-c", script]
        self._systemd = subprocess.Popen(
            command,
            env={"PATH": PATH, "BOX": str(self._place)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._is_up, within=60)

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
        self._systemd.wait(60)
        self._forget()
        self.boot()

    def _forget(self) -> None:
        self.pid = 0
        cgroup.sweep(self._cgroup)

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

    def journal(self, *words: str) -> list[dict[str, Any]]:
        """The entries that match, the oldest first."""
        said = self.run(f"journalctl --sync; journalctl -o json --all {' '.join(words)}")
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    def real_pid(self, pid: int) -> int:
        """As it is called here, of a process of the box."""
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):
                status = Path(f"/proc/{name}/status").read_text()
                spaces = next(line for line in status.splitlines() if line.startswith("NSpid:"))
                same = (
                    os.stat(f"/proc/{name}/ns/pid").st_ino
                    == os.stat(f"/proc/{self.pid}/ns/pid").st_ino
                )
                if same and spaces.split()[-1] == str(pid):
                    return int(name)
        raise AssertionError(f"the box has no process {pid}")

    def end(self) -> None:
        if self._systemd is not None:
            if self.pid:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, 9)
                gone(self.pid)
            self._systemd.kill()
            self._systemd.wait()
            self._forget()
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout is not None:
            self._holder.stdout.close()


def kernel_mount() -> str:
    """Of cgroup v2."""
    return cgroup.find_cgroup().mount


@contextmanager
def boxed(folder: Path, *, installed: bool = True) -> Iterator[Box]:
    """A box that is up, with pairvisor."""
    box = Box(folder)
    try:
        if installed:
            box.install()
        box.boot()
        if installed:
            box.run("systemd-sysusers; systemd-tmpfiles --create pairvisor.conf")
        yield box
    finally:
        box.end()
