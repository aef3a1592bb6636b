"""Commands that a client has run as a member runs: in its environment, folder and umask.

What such a command reads and writes are the client's own descriptors, which came with the request:
stdin, stdout and stderr, or one terminal, which becomes the command's controlling one. So not a
byte of it goes through the supervisor. Who sends none gets the beginning of the output in the
answer.

A command is a guest of the member's run: it ends with that, at the latest, and its own end is
nothing to the member. Whatever it has started is killed with it, also when the client goes away.
"""

import asyncio
import os
import signal
import stat
from collections.abc import Mapping, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from pairvisor.core.events import Exit
from pairvisor.manifest import signals
from pairvisor.manifest.group import Member
from pairvisor.manifest.programs import ProgramError, locate
from pairvisor.record.model import Executed
from pairvisor.runtime.children import Children, Command, Input, SpawnError, as_member
from pairvisor.runtime.commands import Output, as_task

KEPT = 64 * 1024  # bytes of output, where no descriptors were sent
CANNOT_RUN = 126  # as shells have it
NOT_FOUND = 127
TERMINALS = range(136, 144)  # major numbers of /dev/pts/*: Linux's admin-guide/devices.txt


class Streams:
    """What a command reads and writes. `terminal`: what was sent is one."""

    def __init__(self, sent: Sequence[int], *, terminal: bool) -> None:
        self._sent = list(sent)
        self._is_terminal = terminal
        self._pipe: Output | None = None

    def open(self) -> tuple[tuple[int, int], Input | None]:
        """Stdout and stderr, and stdin. Raises SpawnError."""
        match self._sent:
            case []:
                self._pipe = _output()
                return (self._pipe.write, self._pipe.write), None
            case [stdin, stdout, stderr] if not self._is_terminal:
                return (stdout, stderr), Input(stdin)
            case [one] if self._is_terminal and _is_terminal(one):
                if not os.access(f"/proc/self/fd/{one}", os.R_OK | os.W_OK):
                    raise SpawnError("the terminal is another user's: go without, as by `| cat`")
                return (one, one), Input(one, is_terminal=True)
        raise SpawnError("what was sent is neither stdin, stdout and stderr, nor a terminal")

    def hand_over(self) -> None:
        """The command has them: as long as we did too, nobody would see their end."""
        while self._sent:
            os.close(self._sent.pop())

    def close(self) -> str:
        """What was written, where nothing was sent to write to."""
        self.hand_over()
        if self._pipe is None:
            return ""
        os.close(self._pipe.write)
        return self._pipe.close()


class Execution(Struct, eq=False):
    """One that runs. `main` is the member's main process from its beginning; 0: it had none."""

    main: int
    over: asyncio.Future[Executed]

    def exited(self, how: Exit) -> None:
        status = how.status
        name = None if how.signal is None else signals.name_of(how.signal)
        self._settle(Executed(status=status, code=how.code, signal=name))

    def kill(self, why: str) -> None:
        self._settle(Executed(status=128 + signal.SIGKILL, signal="SIGKILL", error=why))

    def _settle(self, how: Executed) -> None:
        if not self.over.done():
            self.over.set_result(how)


class Executions:
    """All that run in a group. Made and used in the loop."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._running: dict[str, set[Execution]] = {}

    async def run(
        self,
        member: Member,
        words: Sequence[str],
        env: Mapping[str, str],
        sent: Sequence[int],
        *,
        terminal: bool,
    ) -> Executed:
        """Run to the end of the command's main process, or until this is cancelled.

        `env` is on top of the member's. The descriptors that were sent are closed in here.
        """
        command = replace(as_member(member, tuple(words)), env={**member.env, **env})
        owner, command = as_task(f"{member.name}/exec", command)
        streams = Streams(sent, terminal=terminal)
        try:
            ended = await self._run(member.name, owner, command, streams)
        except SpawnError as error:
            ended = Executed(status=_shells_status(command), error=str(error))
        finally:
            output = streams.close()
            self._children.kill(owner, lambda _: None)
        return replace(ended, output=output)

    async def _run(self, member: str, owner: str, command: Command, streams: Streams) -> Executed:
        over: asyncio.Future[Executed] = asyncio.get_running_loop().create_future()
        execution = Execution(self._children.pid(member), over)
        output, stdin = streams.open()
        self._children.spawn(owner, command, output, execution.exited, stdin)
        streams.hand_over()
        running = self._running.setdefault(member, set())
        running.add(execution)
        try:
            return await over
        finally:
            running.discard(execution)

    def end(self, member: str) -> None:
        """This run of the member is over, and so is all that began in it."""
        for execution in self._running.get(member, ()):
            if execution.main:
                execution.kill(f"{member} has ended, and the command with it")

    def end_all(self) -> None:
        """The group is over."""
        for execution in chain.from_iterable(self._running.values()):
            execution.kill("the group has ended, and the command with it")


def _output() -> Output:
    try:
        return Output(KEPT)
    except OSError as error:
        raise SpawnError(f"cannot run a command: {error.strerror}") from error


def _is_terminal(descriptor: int) -> bool:
    """Whether it is one that can be opened without waiting: while it is, all of us do."""
    status = os.fstat(descriptor)
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in TERMINALS


def _shells_status(command: Command) -> int:
    """Of one that could not be started: whether the program is not there, or can't be run."""
    try:
        program = locate(command.words[0], command.working_dir, command.env.get("PATH"))
    except ProgramError:
        return NOT_FOUND
    return CANNOT_RUN if os.path.lexists(program) else NOT_FOUND
