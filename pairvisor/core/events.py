"""What can happen to a group. Times are in the argument of `step`, never in an event."""

from msgspec import Struct

from pairvisor.manifest.group import Hook, Purpose


class Exit(Struct, frozen=True):
    """How a main process ended: exactly one of the three is set."""

    code: int | None = None
    signal: int | None = None
    error: str | None = None  # why it could not even be started

    @property
    def status(self) -> int:
        """The exit status that a shell would give it: 128 + signal, 126 where it never ran."""
        if self.error is not None:
            return 126
        return self.code if self.code is not None else 128 + (self.signal or 0)


class StartRequested(Struct, frozen=True):
    """The group is to start, for the first time."""


class StopRequested(Struct, frozen=True):
    """The group is to stop. `hasten` shortens a stop that is under way."""

    hasten: bool = False


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


class HookEnded(Struct, frozen=True):
    """A hook's command is over."""

    member: str
    run: int
    hook: Hook
    passed: bool
    detail: str = ""


class TimePassed(Struct, frozen=True):
    """`now` has moved on: what is due is due."""


MemberEvent = Spawned | Exited | Emptied | ProbeEnded | HookEnded
Event = StartRequested | StopRequested | TimePassed | MemberEvent
