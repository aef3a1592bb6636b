"""What can happen to a group. Times are in the argument of `step`, never in an event.

What somebody asks for has a number, `request`, that means nothing here: it comes back in the cause
of what follows from it.
"""

from msgspec import Struct

from pairvisor.manifest.group import Group, Hook, Purpose


class Exit(Struct, frozen=True):
    """How a main process ended: exactly one of the first three is set."""

    code: int | None = None
    signal: int | None = None
    error: str | None = None  # why it could not even be started
    out_of_memory: bool = False  # the signal is the kernel's, which had no memory left

    @property
    def status(self) -> int:
        """The exit status that a shell would give it: 128 + signal, 126 where it never ran."""
        if self.error is not None:
            return 126
        return self.code if self.code is not None else 128 + (self.signal or 0)


class StartRequested(Struct, frozen=True):
    """The group is to start, for the first time; later, what of it was stopped as asked, and a
    restart that is ahead at once."""

    request: int = 0


class StopRequested(Struct, frozen=True):
    """The group is to stop. `hasten` shortens a stop that is under way."""

    hasten: bool = False
    request: int = 0


class RestartRequested(Struct, frozen=True):
    """The group is to stop in order, and to start at once."""

    request: int = 0


class MemberStartRequested(Struct, frozen=True):
    """This one is to run. Where it does, nothing happens."""

    member: str
    request: int = 0


class MemberStopRequested(Struct, frozen=True):
    """This one is to end, and to stay down until it is asked for or the group starts again."""

    member: str
    request: int = 0


class MemberRestartRequested(Struct, frozen=True):
    """This one is to end, where it runs, and to start at once."""

    member: str
    request: int = 0


class Reloaded(Struct, frozen=True):
    """The group is to be as this says; what is the same already is to run on."""

    group: Group
    request: int = 0


class Spawned(Struct, frozen=True):
    """The member's main process runs its program."""

    member: str
    run: int


class Exited(Struct, frozen=True):
    """The main process is over, or could not be started.

    `noise` is from [0, 1): the chance in a backoff's jitter.
    """

    member: str
    run: int
    exit: Exit
    noise: float = 0.0


class Emptied(Struct, frozen=True):
    """Of the member's whole tree nothing is left; `left` processes had outlived the main one."""

    member: str
    run: int
    left: int = 0


class ProbeEnded(Struct, frozen=True):
    """One attempt of a probe has passed or failed; `detail` says why, for people."""

    member: str
    run: int
    purpose: Purpose
    passed: bool
    detail: str = ""


class InputEnded(Struct, frozen=True):
    """The member has read all that was for it, and its standard input has ended."""

    member: str
    run: int


class HookEnded(Struct, frozen=True):
    """A hook's command is over."""

    member: str
    run: int
    hook: Hook
    passed: bool
    detail: str = ""


class TimePassed(Struct, frozen=True):
    """`now` has moved on: what is due is due."""


MemberEvent = Spawned | Exited | Emptied | ProbeEnded | HookEnded | InputEnded
MemberRequest = MemberStartRequested | MemberStopRequested | MemberRestartRequested
GroupRequest = StartRequested | StopRequested | RestartRequested | Reloaded
Event = GroupRequest | MemberRequest | TimePassed | MemberEvent
