"""`pairvisor up -d`: starts the group in the background, and comes back when it is ready.

The group is another process of the same program, in a session of its own. Until its control socket
answers it has a pipe to us as its stderr: what keeps it from starting comes through it, or a NUL
once nothing does. From then on its events tell how it goes.
"""

import os
import shlex
import sys
from time import monotonic
from typing import NoReturn

from pairvisor.api.client import Client, ControlError, LostError, NotRunningError
from pairvisor.cli import exits, groups, past
from pairvisor.cli.following import Leaving, followed
from pairvisor.cli.manifests import load_or_exit
from pairvisor.cli.measures import span
from pairvisor.cli.nearest import nearest
from pairvisor.cli.screen import Screen
from pairvisor.cli.statuses import is_ready, readiness
from pairvisor.record.model import Event, Kind, Status

LAST_LINES = 10  # of the member that was the cause
PIECE = 1 << 16


def start(file: str | None, *, watch: bool = False) -> NoReturn:
    """Start the manifest's group, say how that went, and exit."""
    began = monotonic()
    path = file or nearest()
    group = load_or_exit(path)
    how_to = f" --file {shlex.quote(file)}" if file else ""
    screen = Screen.of_stdout()
    with groups.answers():
        try:
            _begin(path, watch=watch)
            client = Client(group.places.control)
            sys.exit(Start(groups.find(None, path), client, screen, how_to).watch(began))
        except KeyboardInterrupt:
            screen.progress("")
            say = f"group {group.name} goes on starting: `pairvisor down{how_to}` stops it"
            sys.stderr.write(f"pairvisor: {say}\n")
            raise


def _begin(file: str, *, watch: bool) -> None:
    """Come back once its control socket answers; otherwise that is the end, as it was its own."""
    pid, pipe = _spawn(file, watch=watch)
    said = b""
    while piece := os.read(pipe, PIECE):
        said += piece
        if b"\0" in said:
            os.close(pipe)
            return  # what was said before are warnings, which we have said ourselves
    sys.stderr.buffer.write(said)
    sys.stderr.flush()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(code if code > 0 else exits.INTERNAL)


def _spawn(file: str, *, watch: bool) -> tuple[int, int]:
    """The pid of the guard to be, and the pipe that it has as its stderr."""
    read, write = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR)
    pid = os.posix_spawn(
        sys.executable,
        [*_ourselves(), "up", "-f", file, "--detached", *(["--watch"] if watch else [])],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, nothing, 0),
            (os.POSIX_SPAWN_DUP2, nothing, 1),
            (os.POSIX_SPAWN_DUP2, write, 2),
        ],
        setsid=True,
    )
    os.close(write)
    os.close(nothing)
    return pid, read


def _ourselves() -> list[str]:
    """This program, as it was called: without its arguments."""
    return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv[1:])]


class Start:
    """The first start of a group, seen from here."""

    def __init__(self, target: groups.Target, client: Client, screen: Screen, how_to: str) -> None:
        self._target = target
        self._client = client
        self._screen = screen
        self._how_to = how_to

    def watch(self, began: float) -> int:
        """Until the group is ready, or has failed for the first time. The exit code."""
        leaving = Leaving(os.path.dirname(self._client.path))
        code = None
        try:
            code = self._follow(began)
        except (NotRunningError, LostError):  # sooner than we could ask
            pass
        finally:
            self._screen.progress("")
        if code is None:
            leaving.wait()
            code = self._ended()
        return code

    def _follow(self, began: float) -> int | None:
        """None: it has ended before that."""
        status: Status | None = None
        with followed(self._client, since=self._first()) as looks:
            for event, seen in looks:
                status = seen or status
                if seen and is_ready(seen):
                    return self._is_ready(monotonic() - began)
                if event.kind is Kind.GROUP_STOPPING and event.goal == "restart":
                    return self._failed(event, status)
                if seen:
                    self._screen.progress(f"{seen.group}: {readiness(seen)}")
        return None

    def _first(self) -> int:
        """The first event of this life of the group."""
        begins = (e.id for e in self._client.events() if e.kind is Kind.SUPERVISOR_STARTED)
        return max(begins, default=1)

    def _is_ready(self, took: float) -> int:
        self._screen.progress("")
        self._screen.say(f"group {self._target.name} is ready, after {span(took)}")
        return 0

    def _failed(self, event: Event, status: Status | None) -> int:
        self._complain(event.text)
        member = status.cause.member if status and status.cause else None
        if member is not None:
            self._show(member, self._last_lines(member))
        logs = f"`pairvisor logs{self._how_to} {member or ''}".rstrip() + "`"
        down = f"`pairvisor down{self._how_to}`"
        sys.stderr.write(f"pairvisor: it goes on trying: {logs} shows more, {down} stops it\n")
        return exits.NO

    def _ended(self) -> int:
        """Before it was ready: a success is one all the same."""
        events, result = past.events(self._target), past.result(self._target)
        end = events[-1] if events else None
        if end is None or end.kind is not Kind.GROUP_ENDED:
            self._complain(f"the supervisor of group {self._target.name} was killed")
        elif end.goal == "succeeded":
            self._screen.say(end.text)
            return 0
        else:
            self._complain(end.text)
        if result and result.cause and result.cause.member:
            self._show(result.cause.member, result.last_lines[-LAST_LINES:])
        return exits.NO

    def _complain(self, text: str) -> None:
        self._screen.progress("")
        sys.stderr.write(f"pairvisor: {self._screen.text(text)}\n")

    def _last_lines(self, member: str) -> list[str]:
        try:
            return [line.message for line in self._client.logs([member], LAST_LINES)]
        except ControlError:  # it ends meanwhile
            return []

    def _show(self, member: str, lines: list[str]) -> None:
        for line in lines:
            sys.stderr.write(f"{member} | {self._screen.text(line)}\n")
