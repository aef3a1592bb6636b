"""The service manager above us, and what it is told of the group: sd_notify(3), the speaking side.

To systemd the group is one service: it has started once all that the group counts on are ready, or
once it has succeeded without ever being so; a restart of the group is its own affair. Nothing here
waits for the manager.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import CLOCK_MONOTONIC, clock_gettime_ns
from typing import TYPE_CHECKING

from msgspec import Struct

from pairvisor.core import effects as do
from pairvisor.core.state import Goal, GroupPhase, GroupState, MemberState, Phase
from pairvisor.record import words

if TYPE_CHECKING:
    import asyncio

MARGIN = 10.0  # seconds beyond the group's own budgets, for what comes before and after them
MICROSECONDS = 1_000_000
FOREVER = 365 * 86400.0  # seconds
NAMED = 5  # members, in a line for people


class Told(Struct, frozen=True):
    """What it was told."""

    has_begun: bool
    was_ready: bool
    is_stopping: bool


class Manager:
    """Speaks to the socket in $NOTIFY_SOCKET; to nobody, where there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog = _watchdog(environ) if self._address else 0.0
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsent: deque[str] = deque()
        self._status = ""
        self._has_begun = self._was_ready = self._is_stopping = False
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def begin(self, loop: "asyncio.AbstractEventLoop") -> None:
        """The loop runs. A sign of life comes from it alone: where it is stuck, there is none."""
        self._loop = loop
        if self._watchdog:
            self._show_life()
        self._flush()

    def _show_life(self) -> None:
        if self._loop is not None:
            self._send("WATCHDOG=1")
            # Half of it, as sd_watchdog_enabled(3) recommends.
            self._loop.call_later(self._watchdog / 2, self._show_life)

    def hand_over(self) -> Told:
        return Told(self._has_begun, self._was_ready, self._is_stopping)

    def take_over(self, told: Told) -> None:
        """Another one has told that."""
        self._has_begun, self._was_ready = told.has_begun, told.was_ready
        self._is_stopping = told.is_stopping

    def suspend(self) -> None:
        """A new program is about to take our place."""
        self._send_reloading()

    def resume(self) -> None:
        """It has, or it won't."""
        if self._was_ready:
            self._send(f"MAINPID={os.getpid()}\nREADY=1")

    def tell(self, group: GroupState) -> None:
        """Something has changed in it."""
        if self._socket is None:
            return
        lines = []
        is_stopping = group.phase is GroupPhase.STOPPING and group.goal is not Goal.RESTART
        has_succeeded = is_stopping and group.goal is Goal.SUCCEED
        if group.phase is GroupPhase.STARTING and not self._has_begun:
            # Later rounds have what is left of the manager's own time, then it may give up.
            self._has_begun = True
            lines.append(_within(group.spec.start_timeout))
        if (group.phase is GroupPhase.RUNNING or has_succeeded) and not self._was_ready:
            self._was_ready = True
            self._say(status(group), ["READY=1"])
        if is_stopping and not self._is_stopping:
            self._is_stopping = True
            lines += ["STOPPING=1", _within(group.spec.grace)]
        self._say(status(group), lines)

    def ended(self, finish: do.Finish) -> None:
        """The last word."""
        self._say(words.result(finish), [])

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """While the manifest is read anew. Before the first READY=1 another would be taken for that
        one, so nothing is said."""
        is_told = self._was_ready
        self._send_reloading()
        try:
            yield
        finally:
            if is_told:
                self._send("READY=1")

    def _send_reloading(self) -> None:
        if self._was_ready:
            self._send(f"RELOADING=1\nMONOTONIC_USEC={clock_gettime_ns(CLOCK_MONOTONIC) // 1000}")

    def _say(self, text: str, lines: list[str]) -> None:
        """With a new status, if it is one."""
        if text != self._status:
            self._status = text
            lines = [*lines, f"STATUS={' '.join(text.split())}"]
        if lines:
            self._send("\n".join(lines))

    def _send(self, message: str) -> None:
        is_outdated = self._unsent and self._unsent[-1].startswith("STATUS=")
        if is_outdated and message.startswith("STATUS="):
            self._unsent.pop()
        self._unsent.append(message)
        self._flush()

    def _flush(self) -> None:
        """Send what the manager takes by now; one that is gone is told nothing."""
        if self._socket is None:
            return
        while self._unsent:
            try:
                self._socket.sendto(self._unsent[0].encode(), self._address)
            except BlockingIOError:
                if self._loop is not None:
                    self._loop.add_writer(self._socket, self._flush)
                return
            except OSError:
                pass
            self._unsent.popleft()
        if self._loop is not None:
            self._loop.remove_writer(self._socket)


def _address(written: str) -> str:
    """An absolute path, or a name in the abstract namespace; all else is of no use."""
    if written.startswith("@"):
        return f"\0{written[1:]}"
    return written if written.startswith("/") else ""


def _watchdog(environ: Mapping[str, str]) -> float:
    """Seconds within which it wants a sign of life; 0: it does not (sd_watchdog_enabled(3))."""
    wanted = environ.get("WATCHDOG_USEC", "")
    is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(wanted) / MICROSECONDS if wanted.isdecimal() and is_ours else 0.0


def _within(seconds: float) -> str:
    """It takes as long as this at most, and that is right so."""
    return f"EXTEND_TIMEOUT_USEC={int((min(seconds, FOREVER) + MARGIN) * MICROSECONDS)}"


def status(group: GroupState) -> str:
    """Where the group is, in a line: `starting: waiting for tls (2 of 4 ready)`."""
    why = f": {words.cause(group.cause)}" if group.cause else ""
    match group.phase:
        case GroupPhase.STOPPING if group.goal is Goal.RESTART:
            return f"restarting{why}"
        case GroupPhase.STOPPING:
            return f"stopping: waiting for {_names(group, _is_there) or 'the last output'}"
        case GroupPhase.BACKOFF:
            return f"restarts after {words.seconds(group.pause)}{why}"
        case _:
            return _readiness(group)


def _readiness(group: GroupState) -> str:
    phase = "running" if group.phase is GroupPhase.RUNNING else "starting"
    ready = sum(_is_well(member) for member in group.members.values())
    counted = f"{ready} of {len(group.members)} ready"
    awaited = _names(group, _is_awaited)
    return f"{phase}: waiting for {awaited} ({counted})" if awaited else f"{phase}: {counted}"


def _is_well(member: MemberState) -> bool:
    return member.ready or member.succeeded


def _is_awaited(member: MemberState) -> bool:
    """One that waits for others itself, or that nobody waits for any more, is not named."""
    return not _is_well(member) and member.phase not in (Phase.WAITING, Phase.ENDED)


def _is_there(member: MemberState) -> bool:
    return member.phase not in (Phase.WAITING, Phase.ENDED, Phase.BACKOFF)


def _names(group: GroupState, chosen: Callable[[MemberState], bool]) -> str:
    names = [name for name, member in group.members.items() if chosen(member)]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
