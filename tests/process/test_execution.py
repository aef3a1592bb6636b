"""Commands as a member runs them, with the descriptors that a client sent.

| fault | test |
| --- | --- |
| the client goes away | test_nothing_is_left_when_* |
| what is no terminal is sent as one | test_what_was_sent_must_be_usable |
| the member ends, is killed, restarts | test_a_command_ends_with_the_run_* |
| the program is not there, or can't be run | test_a_shells_status_* |
| a limit of open files that is lower than ours | test_below_a_low_limit |
"""

import asyncio
import os
import pty
import resource
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pairvisor.manifest.group import Member, Role
from pairvisor.record.model import Executed
from pairvisor.runtime import kernel
from pairvisor.runtime.children import TASK, Children, Command
from pairvisor.runtime.execution import KEPT, Executions
from tests.process.leash import leash
from tests.support import eventually

ENV = {"PATH": os.environ["PATH"], "COLOUR": "blue"}
OUTPUT = (2, 2)


@pytest.fixture(autouse=True)
def _subreaper() -> None:
    kernel.become_subreaper()


class House:
    """Members, and commands in them, in a loop that reaps."""

    def __init__(self, folder: Path) -> None:
        self.children = Children(str(folder))
        self.executions = Executions(self.children)
        env = {**ENV, "PAIRVISOR_RUN": str(folder), "PAIRVISOR_MEMBER": "app"}
        self.member = Member(
            name="app", role=Role.PRIMARY, env=env, working_dir=str(folder), umask=0o027
        )

    def start(self) -> None:
        """The member's main process; when it ends, so do the commands in it."""
        command = Command(("sleep", "inf"), ENV)
        self.children.spawn("app", command, OUTPUT, lambda _: self.executions.end("app"))

    def run(
        self, *words: str, sent: Sequence[int] = (), terminal: bool = False, **env: str
    ) -> Awaitable[Executed]:
        return self.executions.run(self.member, words, env, sent, terminal=terminal)


def in_house(folder: Path, story: Callable[[House], Awaitable[None]]) -> None:
    async def live() -> None:
        house = House(folder)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, house.children.reap)
        try:
            async with asyncio.timeout(20):
                await story(house)
        finally:
            over = asyncio.Event()
            house.children.kill("app", lambda _: over.set())
            await over.wait()

    asyncio.run(live())


def test_a_command_has_what_the_member_has(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        script = f"echo $COLOUR $SIZE; pwd; umask; echo ${TASK}; readlink /proc/self/fd/0"
        ended = await house.run("sh", "-c", script, SIZE="large")
        lines = ended.output.splitlines()
        assert lines[:3] == ["blue large", str(tmp_path), "0027"]
        assert lines[3].startswith("app/exec/")
        assert lines[4] == "/dev/null"
        assert (ended.status, ended.code, ended.signal, ended.error) == (0, 0, None, None)

    in_house(tmp_path, story)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 7", Executed(status=7, code=7)),
        ("kill -TERM $$", Executed(status=143, signal="SIGTERM")),
        ("kill -40 $$", Executed(status=168, signal="signal 40")),
    ],
)
def test_how_it_ends(tmp_path: Path, script: str, expected: Executed) -> None:
    async def story(house: House) -> None:
        assert await house.run("sh", "-c", script) == expected

    in_house(tmp_path, story)


def test_a_shells_status_where_it_can_not_be_started(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("echo")

    async def story(house: House) -> None:
        for program, status in (("no-such", 127), ("./no-such", 127), ("./plain", 126)):
            ended = await house.run(program)
            assert ended.status == status
            assert ended.error is not None
            assert ended.error.startswith(f'cannot run "{program}"')
        house.member = Member(name="app", role=Role.PRIMARY, env=ENV, working_dir="/no-such")
        assert (await house.run("true")).status == 126

    in_house(tmp_path, story)


def test_output_is_kept_up_to_a_limit(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        ended = await house.run("sh", "-c", "yes | head -c 1000000; exit 3")
        assert ended.status == 3
        assert len(ended.output) == KEPT

    in_house(tmp_path, story)


def test_it_reads_and_writes_what_was_sent(tmp_path: Path) -> None:
    """And nobody else has that any more: its end is seen at once."""
    theirs, ours = os.pipe()
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    os.write(ours, b"hello\n")
    os.close(ours)

    async def story(house: House) -> None:
        running = house.run(
            "sh",
            "-c",
            "cat; echo oops >&2; exec sleep inf >&- 2>&-",
            sent=(theirs, out_end, err_end),
        )
        task = asyncio.ensure_future(running)
        read = asyncio.to_thread(lambda: (os.read(err, 99), os.read(err, 99), os.read(out, 99)))
        assert await read == (b"oops\n", b"", b"hello\n")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(out_end)
        task.cancel()

    in_house(tmp_path, story)
    assert os.read(out, 1) == b""


@contextmanager
def terminals() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def test_a_terminal_is_the_commands_own(tmp_path: Path) -> None:
    with terminals() as (ours, theirs):
        name = os.ttyname(theirs)

        async def story(house: House) -> None:
            script = "tty; exec 3</dev/tty; ps -o tpgid=,pid= -p $$; tty <&1; tty <&2"
            ended = await house.run("sh", "-c", script, sent=[theirs], terminal=True)
            assert ended.status == 0
            said = b""
            while said.count(b"\n") < 4:  # a terminal hands on in its own time
                said += os.read(ours, 4096)
            lines = said.decode().splitlines()
            assert [lines[0], *lines[2:]] == [name] * 3
            group, pid = lines[1].split()
            assert group == pid

        in_house(tmp_path, story)


def test_what_was_sent_must_be_usable(tmp_path: Path) -> None:
    """Opening a serial line may wait for ever, and all of the supervisor would with it."""
    os.mkfifo(tmp_path / "fifo")

    async def story(house: House) -> None:
        for count, terminal, path in ((1, True, "fifo"), (1, False, "x"), (2, False, "x")):
            flags = os.O_RDWR | os.O_CREAT
            sent = [os.open(tmp_path / path, flags) for _ in range(count)]
            ended = await house.run("true", sent=sent, terminal=terminal)
            assert ended.status == 126
            assert ended.error is not None
            assert "neither" in ended.error
            for descriptor in sent:
                with pytest.raises(OSError, match="Bad file descriptor"):
                    os.fstat(descriptor)

    in_house(tmp_path, story)


def test_nothing_is_left_when_the_command_has_ended(tmp_path: Path) -> None:
    with leash(tmp_path) as held:

        async def story(house: House) -> None:
            house.start()
            main = house.children.pid("app")
            await house.run("sh", "-c", f"exec 9>{held.path}; (setsid sleep inf &); sleep inf & :")
            await asyncio.to_thread(held.let_go)
            assert house.children.pid("app") == main

        in_house(tmp_path, story)


def test_nothing_is_left_when_the_client_has_gone(tmp_path: Path) -> None:
    with leash(tmp_path) as held:

        async def story(house: House) -> None:
            script = f"exec 9>{held.path}; (setsid sleep inf &); touch up; exec sleep inf"
            task = asyncio.ensure_future(house.run("sh", "-c", script))
            await asyncio.to_thread(eventually, (tmp_path / "up").exists)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await asyncio.to_thread(held.let_go)

        in_house(tmp_path, story)


def test_a_command_ends_with_the_run_in_which_it_began(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        before = asyncio.ensure_future(house.run("sleep", "inf"))
        await asyncio.sleep(0)
        house.start()
        during = asyncio.ensure_future(house.run("sleep", "inf"))
        await asyncio.sleep(0)
        house.children.signal("app", signal.SIGKILL)
        ended = await during
        assert (ended.status, ended.signal) == (137, "SIGKILL")
        assert ended.error == "app has ended, and the command with it"
        assert not before.done()
        house.executions.end_all()
        assert (await before).error == "the group has ended, and the command with it"

    in_house(tmp_path, story)


def test_below_a_low_limit(tmp_path: Path) -> None:
    """Where our own limit had to be raised, what is sent may have numbers that no child may."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = len(os.listdir("/proc/self/fd")) + 40
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, limits[1]))
    try:
        with terminals() as (ours, theirs):

            async def story(house: House) -> None:
                house.children.make_room(low)
                high = [os.dup(theirs) for _ in range(low)]
                for terminal, sent in ((False, high[-4:-1]), (True, high[-1:])):
                    assert min(sent) > low
                    ended = await house.run("sh", "-c", "ulimit -n", sent=sent, terminal=terminal)
                    assert ended.status == 0
                said = b""  # a terminal may give it in parts
                while said.count(b"\n") < 2:
                    said += os.read(ours, 99)
                assert said == b"%d\r\n" % low * 2
                for descriptor in high[:-4]:
                    os.close(descriptor)

            in_house(tmp_path, story)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
