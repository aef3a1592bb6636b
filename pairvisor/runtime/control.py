"""What can be asked of a running group, in its own terms: no HTTP here, no words for a terminal.

Everything that changes the group is noted in the events first, with who asked; the note's number
goes to the core with the request and comes back in what follows from it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Protocol

from pairvisor.core.events import (
    Event,
    MemberRestartRequested,
    MemberStartRequested,
    MemberStopRequested,
    RestartRequested,
    StartRequested,
    StopRequested,
)
from pairvisor.core.state import GroupPhase, MemberState, Phase
from pairvisor.manifest import signals
from pairvisor.manifest.group import Group
from pairvisor.record import model, why
from pairvisor.record.model import Caller
from pairvisor.record.timeline import timeline
from pairvisor.runtime.bell import Bell
from pairvisor.runtime.execution import Executions
from pairvisor.runtime.figures import Figures
from pairvisor.runtime.interest import Concern
from pairvisor.runtime.reexec import CannotReexecError
from pairvisor.runtime.reloading import CannotReloadError, Reloading
from pairvisor.runtime.status import status
from pairvisor.runtime.supervisor import Supervisor

MOST_FOLLOWERS = 64
SOON = 0.1  # seconds that logs wait for a pump that is held up
DRAIN = 1.0  # seconds for the last lines to come through the pipes


class Asked(Protocol):
    """A command, and where it is to run."""

    @property
    def member(self) -> str: ...
    @property
    def command(self) -> list[str]: ...
    @property
    def env(self) -> dict[str, str]: ...
    @property
    def terminal(self) -> bool: ...


class NoSuchMemberError(Exception):
    """The group has no member of that name."""


class CannotNowError(Exception):
    """What was asked for does not fit what the group is doing now."""


class TooManyError(Exception):
    """So many follow already."""


class Control:
    """Made when the loop runs, for as long as the group does."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._figures = Figures(supervisor.children)
        self._followers = 0
        self.is_over = False  # nothing more will happen
        self.bell = Bell()
        self._to_reload: set[str] = set()  # members, once they are ready
        self.executions = Executions(supervisor.children)
        self._reloading = Reloading(supervisor, self._check_alive)
        supervisor.on_exit = self.executions.end
        self.records = supervisor.records
        self.rings = supervisor.pump.rings
        self.records.on_event = self.bell.ring
        self.rings.wake = self._wake

    def _wake(self) -> None:
        """On the pump's thread."""
        self._supervisor.loop.call_soon_threadsafe(self.bell.ring)

    def when_reloaded(self, callback: Callable[[Group], None]) -> None:
        """Call that with each new specification."""
        self._reloading.on_reload = callback

    def check_room(self) -> None:
        """Raises TooManyError where one more can't follow."""
        if self._followers >= MOST_FOLLOWERS:
            raise TooManyError(f"{MOST_FOLLOWERS} follow already")

    @contextmanager
    def following(self) -> Iterator[None]:
        """Count one that follows."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1

    async def catch_up(self, within: float = SOON) -> None:
        """Until what the members have written by now is in the rings, for so many seconds."""
        through = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._supervisor.pump.tell_when_through(partial(loop.call_soon_threadsafe, through.set))
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await through.wait()

    async def end(self) -> None:
        """The group is over: whoever follows may take what is left, and then end."""
        if self._followers:
            await self.catch_up(DRAIN)
        self.executions.end_all()
        self.is_over = True
        self.bell.ring()

    def status(self) -> model.Status:
        return status(self._supervisor, self._figures.by_member())

    def why(self, member: str | None) -> model.Why:
        """Raises NoSuchMemberError."""
        self.members_named([member] if member else [])
        return why.why(self._supervisor.group.name, self.records.history.all(), member)

    def timeline(self) -> model.Timeline:
        return timeline(self.records.journal.opening, self._supervisor.group)

    def members_named(self, names: Sequence[str]) -> list[str]:
        """The members of these names; with none named, all. Raises NoSuchMemberError.

        `primary` is the primary, whatever it is called.
        """
        members = self._supervisor.state.members
        primary = self._supervisor.state.primary.spec.name
        found = [primary if name == "primary" else name for name in names]
        for name in found:
            if name not in members:
                raise NoSuchMemberError(f'no member is called "{name}": {", ".join(members)}')
        return found or list(members)

    def start(self, names: Sequence[str], by: Caller) -> model.Answer:
        """Members that do not run; with none named, all of them, out of a backoff too."""
        members = self.members_named(names)
        self._check_alive(names)
        request = self._note("start", names, by)
        if names:
            return self._tell_each(members, MemberStartRequested, request)
        self._supervisor.post(StartRequested(request))
        return model.Answer(text="the group starts", event=request)

    def stop(self, names: Sequence[str], by: Caller) -> model.Answer:
        """Members; with none named, the group: that ends the supervisor, too."""
        members = self.members_named(names)
        if names:
            self._check_alive(names)
        request = self._note("stop", names, by)
        if names:
            return self._tell_each(members, MemberStopRequested, request)
        self._supervisor.post(StopRequested(request=request))
        return model.Answer(text="the group stops", event=request)

    def restart(self, names: Sequence[str], by: Caller) -> model.Answer:
        """Members; with none named, the group."""
        members = self.members_named(names)
        self._check_alive(names)
        request = self._note("restart", names, by)
        if names:
            return self._tell_each(members, MemberRestartRequested, request)
        self._supervisor.post(RestartRequested(request))
        return model.Answer(text="the group restarts", event=request)

    def _check_alive(self, names: Sequence[str] = ()) -> None:
        """Raises CannotNowError where the group stops, and for members where it waits to start."""
        phase = self._supervisor.state.phase
        if phase in (GroupPhase.STOPPING, GroupPhase.OVER):
            raise CannotNowError("the group is stopping: wait for its end, or for its restart")
        if names and phase is GroupPhase.BACKOFF:
            raise CannotNowError(
                "the group waits for its restart, and so do all its members: start it now by a "
                "start that names none of them, or stop it"
            )

    def _note(self, what: str, names: Sequence[str], by: Caller) -> int:
        return self.records.requested(" ".join([what, *names]), by)

    def _tell_each(
        self, members: list[str], event: Callable[[str, int], Event], request: int
    ) -> model.Answer:
        for member in members:
            self._supervisor.post(event(member, request))
        return model.Answer(text=", ".join(members), event=request)

    def signal(self, name: str, signum: int, by: Caller) -> model.Answer:
        """Send it to the member's main process: what comes of that is judged as always.

        Raises NoSuchMemberError, CannotNowError where there is none.
        """
        (member,) = self.members_named([name])
        if not self._supervisor.children.pid(member):
            raise CannotNowError(f"{member} has no process now")
        what = signals.name_of(signum)
        request = self.records.signalled(what, member, by)
        self._supervisor.children.signal(member, signum)
        return model.Answer(text=f"{what} sent to {member}", event=request)

    async def reload(self, by: Caller | None, *, dry_run: bool) -> model.Reload:
        """Read the manifest and the secrets anew, all or nothing. Raises ManifestError,
        CannotNowError."""
        try:
            return await self._reloading.reload(by, dry_run=dry_run)
        except CannotReloadError as error:
            raise CannotNowError(str(error)) from None

    def reexec(self, by: Caller) -> model.Answer:
        """The installed version takes over at the next quiet moment. Raises CannotNowError."""
        request = self.records.requested("reexec", by)
        try:
            self._supervisor.reexecute(request)
        except CannotReexecError as error:
            self.records.reexec_failed(str(error), request)
            raise CannotNowError(str(error)) from None
        return model.Answer(text="the supervisor is replaced", event=request)

    def file_changed(self, concern: Concern, file: str, at: float) -> bool:
        """One that the member watches, at that monotonic second or before: it restarts, or reloads;
        whether it does, as it still can.

        One that was started since has read it. One that has not come to be ready may not know the
        signal yet, so it reloads when it has.
        """
        state, name = self._supervisor.state, concern.member
        member = state.members.get(name)
        if member is None or state.phase not in (GroupPhase.STARTING, GroupPhase.RUNNING):
            return False
        if concern.reloads and member.phase not in (Phase.STARTING, Phase.RUNNING):
            return False  # it will read it when it starts
        if at <= self._supervisor.started.get(name, 0.0):
            return False
        request = self.records.file_changed(name, file)
        if not concern.reloads or member.spec.reload is None:
            self._supervisor.post(MemberRestartRequested(name, request))
        elif name not in self._to_reload:
            self._to_reload.add(name)
            self._reloading.begin(self._reload_once_ready(name, member.run))
        return True

    async def _reload_once_ready(self, name: str, run: int) -> None:
        """In that run, if it comes to it."""
        state = self._supervisor.state
        while (member := state.members.get(name)) and _starts(member, run):
            await self.bell.wait()
        self._to_reload.discard(name)
        if member and member.run == run and member.phase is Phase.RUNNING and member.spec.reload:
            self._reloading.let_reload(member.spec, member.spec.reload)

    async def execute(self, asked: Asked, sent: Sequence[int]) -> model.Executed:
        """Run a command as a member runs, with these descriptors, to its end."""
        (member,) = self.members_named([asked.member])
        spec = self._supervisor.state.members[member].spec
        return await self.executions.run(
            spec, asked.command, asked.env, sent, terminal=asked.terminal
        )


def _starts(member: MemberState, run: int) -> bool:
    return member.run == run and member.phase is Phase.STARTING
