"""What is to be done, as data. The runtime does it; a simulator, a journal or a test reads it.

`run` says which life of the member is meant: an effect on one that is over does nothing.
"""

from enum import StrEnum

from msgspec import Struct

from pairvisor.core.events import Exit
from pairvisor.core.state import Cause, Goal, GroupPhase, Phase
from pairvisor.manifest.group import Hook, Purpose


class Outcome(StrEnum):
    """How a group's life ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


class Tidy(Struct, frozen=True):
    """Remove the sockets that earlier lives left behind: a round begins."""


class Spawn(Struct, frozen=True):
    """Start the main process. Answered by Spawned, or by Exited with an error."""

    member: str
    run: int


class Signal(Struct, frozen=True):
    """Send the main process its stop signal, then SIGCONT lest it be stopped."""

    member: str
    run: int
    signal: int


class EndInput(Struct, frozen=True):
    """Hand over what the member has not read yet, and let its standard input end behind that.
    Answered by InputEnded, once all is read."""

    member: str
    run: int


class Kill(Struct, frozen=True):
    """SIGKILL all that is left of the member's tree. Answered by Emptied, once nothing is."""

    member: str
    run: int


class Probe(Struct, frozen=True):
    """Make one attempt, `delay` seconds from now. Answered by ProbeEnded."""

    member: str
    run: int
    purpose: Purpose
    delay: float


class CancelProbes(Struct, frozen=True):
    """End the attempts that are pending or under way; no answer."""

    member: str
    run: int


class RunHook(Struct, frozen=True):
    """Run the hook's command as the member runs. Answered by HookEnded."""

    member: str
    run: int
    hook: Hook


class CancelHook(Struct, frozen=True):
    """Kill the hook that runs, if any; no answer."""

    member: str
    run: int


class Moved(Struct, frozen=True):
    """News: the member has entered a phase. `cause` is why, where it didn't go well."""

    member: str
    run: int
    phase: Phase
    exit: Exit | None = None
    cause: Cause | None = None


class ReadinessChanged(Struct, frozen=True):
    """News: the member can serve now, or can't any more; `detail` is the probe's."""

    member: str
    run: int
    ready: bool
    detail: str = ""


class LeftBehind(Struct, frozen=True):
    """News: processes had outlived the member's main process, and were killed."""

    member: str
    run: int
    count: int


class GroupMoved(Struct, frozen=True):
    """News: the group has entered a phase; `delay` seconds of backoff are ahead."""

    phase: GroupPhase
    cause: Cause | None = None
    delay: float = 0.0


class Overruled(Struct, frozen=True):
    """News: the stop that is under way does not lead to a restart any more, but to this."""

    goal: Goal
    cause: Cause | None = None


class Finish(Struct, frozen=True):
    """The group's life is over; nothing of it is alive. The supervisor ends with `status`."""

    outcome: Outcome
    status: int
    cause: Cause | None = None


News = Moved | ReadinessChanged | LeftBehind | GroupMoved | Overruled
Order = (
    Tidy | Spawn | EndInput | Signal | Kill | Probe | CancelProbes | RunHook | CancelHook | Finish
)
Effect = Order | News
