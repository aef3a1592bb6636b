"""The embedded example does what its comments say."""

import os
import re
import shutil
import signal
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.cli.conftest import Cli, Start
from tests.support import Up, eventually

HELLO = Path(__file__).parents[2] / "examples" / "hello"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Hello:
    """The example on a port of its own."""

    def __init__(self, cli: Cli, start: Start) -> None:
        folder = cli.folder / "hello"
        shutil.copytree(HELLO, folder, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = folder / "pairvisor.toml"
        self.port = free_port()
        manifest.write_text(manifest.read_text().replace("8080", str(self.port)))
        self.group: Up = start(manifest)

    def get(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def count(self) -> int:
        match = re.search(r"^hello_requests_total (\d+)$", self.get("/metrics"), re.MULTILINE)
        assert match is not None
        return int(match[1])


@pytest.fixture
def hello(cli: Cli, start: Start) -> Hello:
    example = Hello(cli, start)
    example.group.read_until("^pairvisor . group hello is ready, after ")
    return example


def test_it_serves_and_counts(hello: Hello) -> None:
    answers = [hello.get("/") for _ in range(3)]
    assert len(set(answers)) == 1
    assert re.fullmatch(
        r"Hello from a group of four\.\nI am process \d+, restarted 0 times\.\n", answers[0]
    )
    eventually(lambda: hello.count() == 3)


@pytest.mark.parametrize("member", ["metrics", "port", "primary"])
def test_a_member_that_is_killed_restarts_the_group(hello: Hello, member: str) -> None:
    before = {name: hello.group.processes(name) for name in ("metrics", "port", "primary")}
    os.kill(before[member][0], signal.SIGKILL)
    hello.group.read_until(f"group hello is restarted: {member} was killed by SIGKILL")
    hello.group.read_until("group hello is ready, after ")
    assert "restarted 1 times" in hello.get("/")
    for name, pids in before.items():
        assert len(pids) == 1
        assert not set(pids) & set(hello.group.processes(name))


def test_its_members_have_nothing_to_complain_about(cli: Cli, start: Start) -> None:
    said = ""
    for _ in range(3):
        group = Hello(cli, start).group
        said += group.read_until(r"(?s).*?group hello is ready, after [^\n]*\n")[0]
        assert group.stop() == 0
        said += group.said
        shutil.rmtree(cli.folder / "hello")
    assert "Traceback" not in said


def test_ctrl_c_stops_it_in_order(hello: Hello) -> None:
    hello.group.signal(signal.SIGINT)
    assert hello.group.wait() == 0
    stopped = re.findall(r"^pairvisor . (\w+) stopped$", hello.group.said, re.MULTILINE)
    assert stopped == ["port", "primary", "metrics"]
    assert not hello.group.processes()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", hello.port)) != 0
