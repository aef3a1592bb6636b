"""The supervisor replaces itself by the program that is installed now, while the members run on.

It is the same process afterwards: so the members are its children as before, nobody else reaps
them, and descriptors stay open. What is only in its memory goes to the next one as data
(`handover`), which the new program is shown first: what it does not understand changes nothing.

It happens at a quiet moment: no member is on its way down, nothing runs beside the members. Probes
are cancelled, and made anew by whoever goes on.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from pairvisor.core.state import GroupPhase, Phase
from pairvisor.manifest.group import Purpose
from pairvisor.runtime import commands, handover, succession
from pairvisor.runtime.children import Command, Input
from pairvisor.runtime.logs.pump import Output
from pairvisor.runtime.prober import raise_fault
from pairvisor.runtime.supervisor import Supervisor

VARIABLE = "PAIRVISOR_HANDOVER"  # the memfd's number; or that stdin is one, to be looked at only
LOOK = "look"
PATIENCE = 20.0  # seconds for the new program to look at it
LIMIT = 30  # seconds for it to take over, before it is killed, and the group with it
HELD_UP = 5.0  # seconds for the pump's thread to come to an end
CALM = frozenset({Phase.WAITING, Phase.STARTING, Phase.RUNNING, Phase.BACKOFF, Phase.ENDED})
GOES_ON = frozenset({GroupPhase.STARTING, GroupPhase.RUNNING, GroupPhase.BACKOFF})
NOTHING = Output([], [], [], 0, {}, [])


class CannotReexecError(Exception):
    """Why the supervisor does not replace itself."""


class Reexec:
    """One at a time, in the loop."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def begin(self, request: int) -> None:
        """It is done, or why it can't be is noted. Raises CannotReexecError where that is known."""
        if self._task is not None:
            raise CannotReexecError("a re-execution is under way")
        self._check_goes_on()
        self._task = asyncio.get_running_loop().create_task(self._try(request))
        self._task.add_done_callback(raise_fault)

    def _check_goes_on(self) -> None:
        if self._supervisor.is_ending:
            raise CannotReexecError("the group stops")
        guests = [owner for owner in self._supervisor.children.tasks if "/exec/" in owner]
        if guests:
            member = guests[0].partition("/")[0]
            raise CannotReexecError(f"a command runs in {member} (exec): wait for its end")

    async def _try(self, request: int) -> None:
        self._supervisor.on_change = self._changed.set
        try:
            await self._at_rest(self._is_quiet)
            await self._show()
            await self._replace(request)
        except CannotReexecError as error:
            self._fail(str(error), request)
        except Exception as error:  # a mistake of ours, before anything was given up
            self._fail(f"a mistake in pairvisor: {error!r}", request)
        finally:
            self._supervisor.on_change = lambda: None
            self._task = None

    @property
    def is_under_way(self) -> bool:
        return self._task is not None

    @property
    def _folder(self) -> str:
        """Where this program was started; a relative path of its own means that one."""
        folder = self._supervisor.start.folder
        return folder if os.path.isdir(folder) else "/"

    def _fail(self, why: str, request: int) -> None:
        self._supervisor.pump.say(self._supervisor.records.reexec_failed(why, request))

    async def _at_rest(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._check_goes_on()
            self._changed.clear()
            await self._changed.wait()

    def _is_quiet(self) -> bool:
        """Whether nothing is under way but probes."""
        state = self._supervisor.state
        is_calm = all(member.phase in CALM and not member.hook for member in state.members.values())
        return state.phase in GOES_ON and is_calm and not self._busy()

    def _busy(self) -> list[str]:
        """What runs beside the members, but probes."""
        tasks = self._supervisor.children.tasks
        return [owner for owner in tasks if owner.split("/")[1] not in set(Purpose)]

    def _has_no_tasks(self) -> bool:
        return not self._supervisor.children.tasks

    async def _show(self) -> None:
        """Let the new program look at what it is about to get. Raises CannotReexecError."""
        shown = handover.write(succession.hand_over(self._supervisor, 0, NOTHING))
        env = {**os.environ, VARIABLE: LOOK}
        command = Command((sys.executable, *sys.orig_argv[1:]), env, self._folder)
        try:
            async with asyncio.timeout(PATIENCE):
                accepts, why = await commands.run(
                    self._supervisor.children, "pairvisor/reexec", command, Input(shown)
                )
        except TimeoutError:
            raise CannotReexecError(f"the new program did not answer in {PATIENCE:g} s") from None
        finally:
            os.close(shown)
        if not accepts:
            raise CannotReexecError(f"the new program {why}")
        if handover.TAKES_OVER not in why.splitlines():  # what is empty, say, exits with 0, too
            raise CannotReexecError("the new program did not say that it can take over")

    async def _replace(self, request: int) -> NoReturn:
        """Raises CannotReexecError, and then all is as it was."""
        while True:
            await self._at_rest(self._is_quiet)
            succession.suspend(self._supervisor)
            try:
                await self._at_rest(self._has_no_tasks)
                await self._pump_left()
                if self._is_quiet():
                    self._exec(request)
            finally:
                succession.resume(self._supervisor)

    async def _pump_left(self) -> None:
        """All that it had to tell has been told, too. Raises CannotReexecError."""
        loop, pump = asyncio.get_running_loop(), self._supervisor.pump
        left: asyncio.Future[None] = loop.create_future()

        def on_left() -> None:
            if left.cancelled():  # nobody waits for it any more
                pump.go_on()
            else:
                left.set_result(None)

        pump.leave(lambda: loop.call_soon_threadsafe(on_left))
        try:
            async with asyncio.timeout(HELD_UP):
                await left
        except TimeoutError:
            raise CannotReexecError("the members' output is held up, by a disk perhaps") from None

    def _exec(self, request: int) -> NoReturn:
        output = self._supervisor.pump.hand_over()
        handed = succession.hand_over(self._supervisor, request, output)
        descriptor = handover.write(handed)
        kept = [*handed.descriptors(), descriptor]
        try:
            for each in kept:
                os.set_inheritable(each, True)
            os.chdir(self._folder)
            signal.alarm(LIMIT)  # which execve(2) leaves as it is
            environ = {**os.environ, VARIABLE: str(descriptor)}
            os.execve(sys.executable, sys.orig_argv, environ)  # noqa: S606 - this program again
        except OSError as error:
            signal.alarm(0)
            for each in kept:
                os.set_inheritable(each, False)
            os.close(descriptor)
            os.chdir("/")
            raise CannotReexecError(f"{sys.executable}: {error.strerror}") from None
