"""The commands as a user runs them: in a folder, piped or on a terminal."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.support import Up, is_alive, kill_left, take_away_leftovers

Ran = subprocess.CompletedProcess[str]
PROGRAM = [sys.executable, "-m", "pairvisor"]


class Cli:
    """Runs pairvisor in a folder of its own; `env` is all of its environment."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.folder = folder
        programs = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        package = str(Path(__file__).parents[2])
        self.env = {
            "PATH": programs,
            "PYTHONPATH": package,
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_STATE_HOME": str(folder / "xdg-state"),
        }

    def write(self, text: str, name: str = "pairvisor.toml") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *words: str, cwd: Path | None = None, **env: str) -> Ran:
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=cwd or self.folder,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """Its runtime folder's path is short: those of the sockets in it have a limit."""
    with tempfile.TemporaryDirectory(prefix="pv") as runtime:
        yield Cli(tmp_path, Path(runtime))


Start = Callable[[Path], Up]
Open = Callable[..., Terminal]


@pytest.fixture
def start(cli: Cli) -> Iterator[Start]:
    """Runs a manifest's group, its output piped; what is left at the end is killed."""
    groups: list[Up] = []

    def run(manifest: Path) -> Up:
        groups.append(Up(manifest, cli.env))
        return groups[-1]

    yield run
    for group in groups:
        # The guard kills what is left once the supervisor, its child, is gone.
        children = Path(f"/proc/{group.guard}/task/{group.guard}/children")
        alive = children.read_text().split() if is_alive(group.guard) else []
        kill_left(map(int, alive))
        kill_left(group.processes())
        group.popen.wait()
        assert group.popen.stdout is not None
        group.popen.stdout.close()


@pytest.fixture
def background(cli: Cli) -> Iterator[None]:
    """For tests that start groups in the background: what is left at the end is killed."""
    yield
    runtime = f"XDG_RUNTIME_DIR={cli.env['XDG_RUNTIME_DIR']}".encode()
    run = f"PAIRVISOR_RUN={cli.env['XDG_RUNTIME_DIR']}/".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if runtime in variables or any(v.startswith(run) for v in variables):
                os.kill(int(pid), signal.SIGKILL)
    take_away_leftovers(Path(cli.env["XDG_RUNTIME_DIR"]))


@pytest.fixture
def terminal(cli: Cli) -> Iterator[Open]:
    """Runs pairvisor on a terminal of its own; what is left at the end is killed."""
    opened: list[Terminal] = []

    def run(*words: str, columns: int = 100, cwd: Path | None = None, **env: str) -> Terminal:
        environ = cli.env | {"TERM": "xterm"} | env
        opened.append(Terminal([*PROGRAM, *words], cwd or cli.folder, environ, columns))
        return opened[-1]

    yield run
    for each in opened:
        each.close()
