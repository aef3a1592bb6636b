"""What of the core's effects needs the loop: probes, hooks, and what they listen to."""

import asyncio
import re
import socket
from collections.abc import Callable

from msgspec import Struct

from pairvisor.core import effects as do
from pairvisor.core.events import Event, HookEnded
from pairvisor.core.state import GroupState
from pairvisor.manifest.group import Member, Method
from pairvisor.runtime import commands
from pairvisor.runtime.children import Children, Command, as_member
from pairvisor.runtime.mailbox import Mailbox, bind
from pairvisor.runtime.prober import Due, Prober, raise_fault
from pairvisor.runtime.probes import About


class Mail(Struct, frozen=True):
    """A member's mailbox."""

    member: str
    descriptor: int
    is_ready: bool
    is_alive: bool


class Tasks:
    """Made when the loop runs. Each task ends in one event for the core."""

    def __init__(
        self, state: GroupState, children: Children, post: Callable[[Event], None]
    ) -> None:
        self._state = state
        self._children = children
        self._post = post
        self._prober = Prober(post)
        self._hooks: dict[str, asyncio.Task[None]] = {}
        self._mailboxes: dict[str, Mailbox] = {}
        self._log_matched: dict[str, asyncio.Event] = {}

    def carry_out(self, effect: do.Probe | do.CancelProbes | do.RunHook | do.CancelHook) -> None:
        match effect:
            case do.Probe():
                self._probe(effect)
            case do.CancelProbes():
                self._prober.cancel(effect.member)
            case do.RunHook():
                self._run_hook(effect)
            case do.CancelHook():
                if hook := self._hooks.pop(effect.member, None):
                    hook.cancel()

    def hand_over(self) -> tuple[list[Mail], list[str]]:
        """The mailboxes, and whose lines have matched."""
        mail = [
            Mail(member, box.fileno(), box.ready.is_set(), box.alive.is_set())
            for member, box in self._mailboxes.items()
        ]
        matched = [member for member, event in self._log_matched.items() if event.is_set()]
        return mail, matched

    def due(self) -> list[Due]:
        """When probes are due, or were."""
        return self._prober.due()

    def take_over(self, mail: list[Mail], matched: list[str], due: list[Due]) -> None:
        """Another one's."""
        self._prober.take_over(due)
        for one in mail:
            box = self._mailboxes[one.member] = Mailbox(socket.socket(fileno=one.descriptor))
            for event, was_set in ((box.ready, one.is_ready), (box.alive, one.is_alive)):
                if was_set:
                    event.set()
        for member in matched:
            self._log_matched.setdefault(member, asyncio.Event()).set()

    def suspend(self) -> None:
        """Cancel all probes' attempts: who goes on makes them anew."""
        self._prober.cancel_all()

    def new_mailbox(self, member: Member) -> str:
        """A socket for this run's sd_notify messages; its path. Raises OSError."""
        if old := self._mailboxes.pop(member.name, None):
            old.close()
        path = f"{self._state.spec.places.notify}/{member.name}"
        self._mailboxes[member.name] = Mailbox(bind(path, member.identity.uid))
        return path

    def log_watch(self, member: Member) -> Callable[[bytes], bool]:
        """For the pump to call with each line of this run's output, until one is what a probe waits
        for."""
        pattern = next(p.target[0] for p in member.probes.values() if p.method is Method.LOG)
        matched = self._log_matched[member.name] = asyncio.Event()
        expression, loop = re.compile(pattern), asyncio.get_running_loop()

        def watch(line: bytes) -> bool:
            if not expression.search(line.decode(errors="replace")):
                return False
            loop.call_soon_threadsafe(matched.set)
            return True

        return watch

    def _probe(self, effect: do.Probe) -> None:
        about = About(
            self._state.members[effect.member].spec,
            effect.purpose,
            self._children,
            self._mailboxes.get(effect.member),
            self._log_matched.setdefault(effect.member, asyncio.Event()),
        )
        self._prober.schedule(about, effect.run, effect.delay)

    def _run_hook(self, effect: do.RunHook) -> None:
        # As the member is now: a reload may come before the task's first step.
        member = self._state.members[effect.member].spec
        command = as_member(member, member.hooks[effect.hook])
        task = asyncio.get_running_loop().create_task(self._hook(effect, command))
        self._hooks[effect.member] = task
        task.add_done_callback(raise_fault)

    async def _hook(self, effect: do.RunHook, command: Command) -> None:
        owner = f"{effect.member}/{effect.hook}"
        passed, detail = await commands.run(self._children, owner, command)
        self._post(HookEnded(effect.member, effect.run, effect.hook, passed, detail))
