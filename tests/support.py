"""Real groups for tests: start `pairvisor up`, read what it says, find its processes.

Nothing here sleeps: a test waits for a line, for a pidfd, or with `eventually`, the only poller.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pairvisor.runtime import cgroup, kernel, mounts, stages

needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
UP = ("up", "-f")
WITHIN = 20.0  # seconds; ten times and more what anything here usually takes


def eventually(check: Callable[[], object], within: float = WITHIN) -> None:
    """Poll until `check` is true. Raises AssertionError when the time is over."""
    end = time.monotonic() + within
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s")
        select.select([], [], [], 0.005)


def gone(pid: int, within: float = WITHIN) -> None:
    """Wait for a process's end by its pidfd; a zombie has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        readable, _, _ = select.select([pidfd], [], [], within)
        assert readable, f"process {pid} is still there after {within:g} s"
    finally:
        os.close(pidfd)


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def kill_left(pids: Iterable[int]) -> None:
    """SIGKILL for those that are still there: a guard may reap one of its own at any moment."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def take_away_leftovers(runtime: Path) -> None:
    """Cgroups and mounts of groups whose guards were killed, too: their next starts would do it."""
    for run in runtime.glob("pairvisor/*"):
        mounts.unmount(str(run))
        with suppress(OSError):
            cgroup.sweep((run / "cgroup").read_text())


def is_staged(pid: int) -> bool:
    """Whether it is in a stage before its program yet: the last one's words are in all of them.

    One that is gone never comes to its program.
    """
    try:
        return stages.LAST.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


class Up:
    """A running `pairvisor up`, from `up()`. Its pid is the guard's.

    A `wrapper` is a command that becomes the one that is put behind it, as `env` does; `words` are
    pairvisor's, before the manifest; `how` is for Popen.
    """

    def __init__(
        self,
        manifest: Path,
        env: dict[str, str],
        wrapper: Sequence[str] = (),
        words: Sequence[str] = UP,
        **how: Any,
    ) -> None:
        self.manifest = manifest
        self.env = env
        self.said = ""
        usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "start_new_session": True}
        self.popen = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "pairvisor", *words, manifest.name],
            **(usual | {"stderr": subprocess.STDOUT} | how),
            cwd=manifest.parent,
            env=env,
        )
        self._out = self.popen.stdout.fileno() if self.popen.stdout else -1

    @property
    def guard(self) -> int:
        return self.popen.pid

    @property
    def supervisor(self) -> int:
        """The guard's one child."""
        return int(Path(f"/proc/{self.guard}/task/{self.guard}/children").read_text().split()[0])

    @property
    def run(self) -> Path:
        """The group's runtime folder: there is only one in this test's own XDG_RUNTIME_DIR."""
        return next(Path(self.env["XDG_RUNTIME_DIR"], "pairvisor").iterdir())

    def read_until(self, pattern: str, within: float = WITHIN) -> re.Match[str]:
        """Read on until a line matches, and forget what was before. AssertionError if none does."""
        end = time.monotonic() + within
        while not (match := re.search(pattern, self.said, re.MULTILINE)):
            assert self._read(end - time.monotonic()), f"{pattern!r} was not said in:\n{self.said}"
        self.said = self.said[match.end() :]
        return match

    def read_all(self, *patterns: str, within: float = WITHIN) -> None:
        """Read on until each of them matches some line, in any order; nothing is forgotten."""
        end = time.monotonic() + within
        while missing := [p for p in patterns if not re.search(p, self.said, re.MULTILINE)]:
            assert self._read(end - time.monotonic()), f"no {missing} was said in:\n{self.said}"

    def _read(self, within: float) -> bool:
        readable, _, _ = select.select([self._out], [], [], max(within, 0))
        piece = os.read(self._out, 1 << 16) if readable else b""
        self.said += piece.decode(errors="replace")
        return bool(piece)

    def wait(self, within: float = WITHIN) -> int:
        """Read to the end of the output and return the exit status."""
        end = time.monotonic() + within
        while self._read(end - time.monotonic()):
            pass
        return self.popen.wait(max(end - time.monotonic(), 0.1))

    def signal(self, signum: int) -> None:
        self.popen.send_signal(signum)

    def stop(self, within: float = WITHIN) -> int:
        """SIGTERM, and the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def main(self, member: str) -> int:
        """The member's main process, once it runs its program: the supervisor's child and leads a
        session.

        A process in the middle of an exec has no environment to be known by.
        """
        found: list[int] = []

        def look() -> bool:
            children = Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children").read_text()
            found[:] = sorted(set(map(int, children.split())) & set(self.processes(member)))
            return bool(found) and not is_staged(found[0])

        eventually(look)
        return found[0]

    def kill(self, member: str) -> None:
        """SIGKILL for its main process."""
        os.kill(self.main(member), signal.SIGKILL)

    def processes(self, member: str = "") -> list[int]:
        """Every live process of the group (of one member), by its environment."""
        wanted = {f"PAIRVISOR_RUN={self.env['XDG_RUNTIME_DIR']}/pairvisor/".encode()}
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            is_ours = any(v.startswith(w) for v in variables for w in wanted)
            is_its = not member or f"PAIRVISOR_MEMBER={member}".encode() in variables
            if is_ours and is_its and is_alive(int(pid)):
                found.append(int(pid))
        return found


@contextmanager
def up(
    folder: Path,
    manifest: str,
    *wrapper: str,
    words: Sequence[str] = UP,
    how: dict[str, Any] | None = None,
    **env: str,
) -> Iterator[Up]:
    """Write the manifest of a group `test` into the folder and run it (`wrapper` …: see Up).

    Whatever of it is left at the end is killed.
    """
    path = folder / "pairvisor.toml"
    path.write_text('name = "test"\n' + textwrap.dedent(manifest))
    runtime = folder / "xdg"
    runtime.mkdir(mode=0o700, exist_ok=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PAIRVISOR_")}
    own = {"XDG_RUNTIME_DIR": str(runtime), "XDG_STATE_HOME": str(folder / "xdg-state")}
    environment = {**clean, **own, "NO_COLOR": "1", **env}
    group = Up(path, environment, wrapper, words, **(how or {}))
    try:
        yield group
    finally:
        # The guard, the supervisor at once, so that neither does anything about it; then the rest.
        pair = [group.guard, *kernel.children_of(group.guard)] if group.popen.poll() is None else []
        kill_left([*pair, *group.processes()])
        group.popen.wait()
        take_away_leftovers(runtime)
        if group.popen.stdout is not None:
            group.popen.stdout.close()


def let_others_through(folder: Path) -> None:
    """Other users come to a group that runs there, through the folder of all groups, too."""
    runtime = folder / "xdg/pairvisor"
    runtime.mkdir(parents=True)
    for path in (folder, *folder.parents):
        if path.stat().st_uid == 0:
            path.chmod(path.stat().st_mode | 0o5)
    for path in (runtime, runtime.parent):
        path.chmod(0o755)


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def can_be_nobody() -> bool:
    """Whether this test can run this Python as another user: one in root's home can't be read."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        return False
    tried = [*NOBODY, sys.executable, "-c", "import pairvisor"]
    return subprocess.run(tried, cwd="/", stderr=subprocess.DEVNULL, check=False).returncode == 0


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    """A disk of that size, as mount(8) writes it, at a new folder. It takes root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
