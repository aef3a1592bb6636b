"""The runner of one core: events in, effects out, one timer.

`post` is the one entry: every reaper, timer, probe, hook and signal calls it, on the loop's thread,
and does nothing else. The first members are started before asyncio is even imported, so that they
get ready meanwhile; what needs the loop is put off until it runs. At the end those who follow the
events have a moment to take the last of them, then the loop stops.
"""

import gc
import os
import signal
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from pairvisor.core import effects as do
from pairvisor.core.events import (
    Emptied,
    Event,
    Exit,
    Exited,
    HookEnded,
    InputEnded,
    ProbeEnded,
    Reloaded,
    Spawned,
    StartRequested,
    StopRequested,
    TimePassed,
)
from pairvisor.core.state import STARTABLE, Goal, GroupPhase, Phase, new, next_deadline
from pairvisor.core.step import step
from pairvisor.manifest.group import Group, Member, Method
from pairvisor.runtime import kernel, trees
from pairvisor.runtime.children import SpawnError, as_member
from pairvisor.runtime.folders import Folders
from pairvisor.runtime.logs.pump import Pump
from pairvisor.runtime.loop import new_loop
from pairvisor.runtime.manager import Manager
from pairvisor.runtime.memory import Oom
from pairvisor.runtime.outputs import Outputs, Streams
from pairvisor.runtime.provision import Provision
from pairvisor.runtime.records import Records

if TYPE_CHECKING:
    import asyncio

    from pairvisor.runtime.handover import Handover
    from pairvisor.runtime.reexec import Reexec
    from pairvisor.runtime.tasks import Tasks

NeedsLoop = do.Probe | do.CancelProbes | do.RunHook | do.CancelHook
Late = NeedsLoop | do.Spawn
HANDLED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2}
LISTENING = {Method.NOTIFY, Method.LOG}  # what a member says must find somebody listening
STALL = 1.0  # seconds past a deadline that only a supervisor that did not run can explain


class InternalError(Exception):
    """The core or its runner broke; the group can't be supervised any longer."""


class Start(Struct, frozen=True):
    """How the supervisor was started, and in which folder."""

    is_service: bool
    is_detached: bool = False
    watch: bool = False
    folder: str = "/"


class Front(Protocol):
    """What stands between the group and its clients."""

    def begin(self, supervisor: "Supervisor") -> None:
        """The loop runs: clients may come."""

    def fileno(self) -> int:
        """Of what they come by."""

    async def close(self) -> None:
        """The group is over: let no more come, and those that follow take the last news."""


class Clock(Struct):
    """Monotonic seconds, less those in which this process was stopped or starved.

    A deadline that passed while nobody looked has not been missed by a member.
    """

    lost: float = 0.0
    last: float = 0.0

    def now(self, deadline: float) -> float:
        now = monotonic() - self.lost
        if now > deadline + STALL:
            self.lost += now - self.last
            now = self.last
        self.last = now
        return now


class Supervisor:
    """Runs a group from its start to its end, in folders that are claimed already."""

    def __init__(
        self,
        provision: Provision,
        folders: Folders,
        pump: Pump,
        records: Records,
        front: Front,
    ) -> None:
        self.provision = provision
        self.group = group = provision.group
        self.manifest = os.path.abspath(group.manifest)  # we will be in other folders
        self.state = new(group)
        self.children = provision.children
        self.folders = folders
        self.pump = pump
        self.records = records
        self.front = front
        self.manager = Manager({})
        records.unmet(provision.unmet)
        self.outputs = Outputs(group, pump, self.children, records)
        self.on_exit: Callable[[str], None] = lambda _: None  # of a member's main process
        self.on_hangup: Callable[[], None] | None = None  # instead of a stop
        self.on_change: Callable[[], None] = lambda: None  # in the group, or among the children
        self.start = Start(is_service=False)
        self._reexec: Reexec | None = None
        self.handed: Handover | None = None  # by the program that was this process's before
        self.clock = Clock()
        self.started: dict[str, float] = {}  # when members were last started, in monotonic seconds
        self._oom = Oom()
        self._events: deque[Event] = deque()
        self._is_working = False
        self._put_off: list[Late] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._tasks: Tasks | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.finish: do.Finish | None = None
        self._fault: BaseException | None = None
        self.interrupts = 0
        self._parent = os.getppid()

    def run(self) -> do.Finish:
        """Start the group and return how it ended. Raises InternalError on a fault of ours."""
        try:
            self._run()
        except Exception as error:
            raise InternalError from error
        if self.finish is None:
            raise InternalError from self._fault
        return self.finish

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        kernel.keep_descriptors()
        self.children.make_room(len(self.group.members))
        if self.handed is None and not self.group.reloads_files:
            self.post(StartRequested())
        loop = new_loop()
        loop.set_exception_handler(self._break)
        loop.call_soon(self._enter, loop)
        loop.run_forever()

    def begin(self) -> None:
        """Start the group, where that has waited for its files to be watched: a change that comes
        after a member's start must not be missed."""
        if self.state.phase is GroupPhase.IDLE and self.finish is None:
            self.post(StartRequested())

    def unkillable(self) -> trees.Tree:
        """What is there of the members that SIGKILL did not end."""
        members = self.state.members.items()
        names = [name for name, member in members if member.phase is Phase.UNKILLABLE]
        found = [self.children.tree(name) for name in names]
        return {pid: started for tree in found for pid, started in tree.items()}

    @property
    def is_ending(self) -> bool:
        """Whether it is about to be over, and not to start again."""
        state = self.state
        stops = state.phase is GroupPhase.STOPPING and state.goal is not Goal.RESTART
        return stops or state.phase is GroupPhase.OVER

    def reexecute(self, request: int) -> None:
        """Replace this program by what is installed now, at the next quiet moment; `request` is the
        event's number. Raises CannotReexecError."""
        from pairvisor.runtime.reexec import Reexec  # noqa: PLC0415 - seldom needed

        self._reexec = self._reexec or Reexec(self)
        self._reexec.begin(request)

    @property
    def tasks(self) -> "Tasks":
        """What needs the loop, which runs."""
        if self._tasks is None:
            raise RuntimeError("the loop does not run yet")
        return self._tasks

    @property
    def loop(self) -> "asyncio.AbstractEventLoop":
        """The loop that runs."""
        if self._loop is None:
            raise RuntimeError("the loop does not run yet")
        return self._loop

    def reload(self, group: Group, request: int) -> None:
        """Go on with this specification: the core says what that means for each member."""
        self.group = group
        self.records.unmet(self.provision.unmet)
        self.children.make_room(len(group.members))
        self.pump.rings.keep(group.members)
        self.outputs.adopt(group)
        self.post(Reloaded(group, request))

    def post(self, event: Event) -> None:
        """Let the core know; what it wants done is done before this returns, or is under way."""
        self._events.append(self._redacted(event))
        if not self._is_working:
            try:
                self._work()
            except Exception as error:
                self._give_up(error)
                raise

    def _give_up(self, error: Exception) -> None:
        """Whoever posted may live on after an error of ours, a client's task say; we can't."""
        self._fault = self._fault or error
        if self._loop is not None:
            self._loop.stop()

    def _redacted(self, event: Event) -> Event:
        """What a probe or a hook says may repeat a secret."""
        if isinstance(event, ProbeEnded | HookEnded) and event.detail:
            return replace(event, detail=self.provision.secrets.redact(event.detail))
        return event

    def _work(self) -> None:
        self._is_working = True
        while self._events:
            event = self._events.popleft()
            now = self.clock.now(next_deadline(self.state))
            for effect in step(self.state, event, now):
                self._carry_out(effect)
        self._is_working = False
        self._arm()
        self.on_change()

    def _arm(self) -> None:
        """The one timer: the earliest of all deadlines."""
        if self._loop is None:
            return
        deadline = next_deadline(self.state) + self.clock.lost
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline < float("inf"):
            self._timer = self._loop.call_at(deadline, self._time_passed)

    def _time_passed(self) -> None:
        self._timer = None
        self.post(TimePassed())

    def _carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Spawn():
                self._spawn(effect)
            case do.Signal():
                self.children.signal(effect.member, effect.signal, signal.SIGCONT)
            case do.EndInput():
                answer = InputEnded(effect.member, effect.run)
                self.outputs.end_input(effect.member, partial(self.post, answer))
            case do.Kill():
                self.children.kill(effect.member, partial(self._emptied, effect))
            case do.Tidy():
                self.folders.remove_stale_sockets()
            case do.Finish():
                self._end(effect)
            case do.Probe() | do.CancelProbes() | do.RunHook() | do.CancelHook():
                self._do_in_loop(effect)
            case _:
                self._tell(effect)

    def _tell(self, news: do.News) -> None:
        if isinstance(news, do.Moved) and news.phase is Phase.ENDED:
            self.outputs.ended(self.state.members[news.member].spec)
        self.records.tell(self.state, news)
        self.manager.tell(self.state)

    def _do_in_loop(self, effect: NeedsLoop) -> None:
        if self._tasks is None:
            self._put_off.append(effect)
        else:
            self._tasks.carry_out(effect)

    def _spawn(self, effect: do.Spawn) -> None:
        member = self.state.members[effect.member].spec
        methods = {probe.method for probe in member.probes.values()}
        if self._tasks is None and methods & LISTENING:
            self._put_off.append(effect)
            return
        if effect.run > 1:
            self.folders.remove_stale_sockets()
        try:
            self._start(member, effect.run, methods)
        except (SpawnError, OSError) as error:
            if self._tasks is None:
                # Its consequences need the loop, and members whose start is put off: once more.
                self._put_off.append(effect)
                return
            self.exited(member.name, effect.run, Exit(error=self._located(str(error), member)))
        else:
            self.post(Spawned(member.name, effect.run))

    def _start(self, member: Member, run: int, methods: set[Method]) -> None:
        self.started[member.name] = monotonic()
        env = {**member.env, "PAIRVISOR_RESTARTS": str(run - 1)}
        watch = None
        if self._tasks is not None and Method.NOTIFY in methods:
            env["NOTIFY_SOCKET"] = self._tasks.new_mailbox(member)
        if self._tasks is not None and Method.LOG in methods:
            watch = self._tasks.log_watch(member)
        with ExitStack() as given:
            streams = self.outputs.open(member, run, watch, given)
            self._run_program(member, run, env, streams)
        self.pump.rings.new_run(member.name, run)

    def _run_program(self, member: Member, run: int, env: dict[str, str], streams: Streams) -> None:
        command = replace(as_member(member, member.command), env=env, check=member.check)
        over = partial(self.exited, member.name, run)
        output = (streams.stdout, streams.stderr)
        try:
            self.children.spawn(member.name, command, output, over, streams.stdin)
        except BaseException:
            self.outputs.failed(streams)
            raise
        self.outputs.started(member, run, streams)

    def _located(self, message: str, member: Member) -> str:
        """With the line that asked for it; the manifest is called as whoever started it did."""
        from pairvisor.manifest.origins import Origins  # noqa: PLC0415 - only where something is said

        place = Origins(self.group.parts).find((*member.key, "command"))
        file = self.group.manifest if place.file == self.manifest else place.file
        return f"{message} ({file}:{place.line})" if place.line else message

    def exited(self, member: str, run: int, end: Exit) -> None:
        if end.signal == signal.SIGKILL and self.state.members[member].phase in STARTABLE:
            known = self.provision.containment.out_of_memory(member)
            end = replace(end, out_of_memory=self._oom.happened() if known is None else known)
        self.on_exit(member)
        self.post(Exited(member, run, end, _noise()))

    def _emptied(self, effect: do.Kill, left: int) -> None:
        self.post(Emptied(effect.member, effect.run, left))

    def _enter(self, loop: "asyncio.AbstractEventLoop") -> None:
        """The loop runs: take signals, and catch up with what had to wait for it."""
        from pairvisor.runtime.tasks import Tasks  # noqa: PLC0415 - it imports asyncio

        gc.freeze()
        gc.enable()
        self._loop = loop
        self._tasks = Tasks(self.state, self.children, self.post)
        self.records.begin(loop)
        self.manager.begin(loop)
        self.outputs.begin(loop)
        # Blocked since the guard was forked, so the pump's thread doesn't take them either.
        signals = kernel.signal_descriptor(HANDLED)
        loop.add_reader(signals, self._signalled, signals)
        emptied = self.provision.containment.listen()
        if emptied >= 0:
            loop.add_reader(emptied, self._emptied_somewhere, emptied)
        put_off, self._put_off = self._put_off, []
        for effect in put_off:
            self._catch_up(effect)
        if self.handed is not None:
            self._go_on(self.handed)
        self._reap()
        self.front.begin(self)
        self._arm()

    def _emptied_somewhere(self, descriptor: int) -> None:
        kernel.drain(descriptor)
        self._reap()

    def _reap(self) -> None:
        self.children.reap()
        self.on_change()

    def _go_on(self, handed: "Handover") -> None:
        from pairvisor.runtime import succession  # noqa: PLC0415 - seldom needed

        succession.go_on(self, handed)
        self.handed = None

    def _catch_up(self, effect: Late) -> None:
        """What was put off may be out of date: one before it may have stopped the group."""
        member = self.state.members[effect.member]
        if member.run == effect.run and member.phase in STARTABLE:
            self._carry_out(effect)
        elif isinstance(effect, do.Spawn):
            self.exited(effect.member, effect.run, Exit(error="the group stopped before"))

    def _signalled(self, signals: int) -> None:
        for signum in kernel.read_signals(signals):
            if signum == signal.SIGCHLD:
                self._reap()
            elif signum == signal.SIGUSR2:
                self._reexecute()
            elif signum == signal.SIGHUP and self.on_hangup is not None:
                self.on_hangup()
            else:
                # A second Ctrl-C means: sooner.
                self.interrupts += signum == signal.SIGINT
                is_again = signum == signal.SIGINT and self.interrupts > 1
                # PR_SET_PDEATHSIG sends SIGTERM, too.
                is_orphan = os.getppid() != self._parent
                why = "the guard was killed" if is_orphan else signal.Signals(signum).name
                request = self.records.requested(f"stop ({why})")
                self.post(StopRequested(hasten=is_again, request=request))

    def _reexecute(self) -> None:
        from pairvisor.runtime.reexec import CannotReexecError  # noqa: PLC0415 - seldom needed

        if self._reexec is not None and self._reexec.is_under_way:
            return  # what is asked for is done
        request = self.records.requested("reexec (SIGUSR2)")
        try:
            self.reexecute(request)
        except CannotReexecError as error:
            self.pump.say(self.records.reexec_failed(str(error), request))

    def _end(self, finish: do.Finish) -> None:
        self.finish = finish
        self.outputs.settle(partial(self._settled, finish))

    def _settled(self, finish: do.Finish) -> None:
        """All that the members wrote is where it belongs."""
        self.records.ended(finish)
        self.manager.ended(finish)
        self._leaving = self.loop.create_task(self._leave())

    async def _leave(self) -> None:
        try:
            await self.front.close()
        finally:
            self.loop.stop()

    def _break(self, loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
        self._fault = self._fault or context.get("exception")
        loop.stop()


def _noise() -> float:
    return int.from_bytes(os.urandom(4)) / 2**32
