"""How a simulated process behaves. Times are in seconds; `inf` is never."""

from collections.abc import Callable
from math import inf

from msgspec import Struct

from pairvisor.core.events import Exit
from pairvisor.manifest.group import Hook

TERMINATED = Exit(signal=15)
KILLED = Exit(signal=9)


class Command(Struct, frozen=True):
    """A hook's: how long it takes, and whether it is content."""

    takes: float = 0.0
    passes: bool = True


class Script(Struct, frozen=True, kw_only=True):
    """One run of a member."""

    latency: float = 0.0  # from the order to start it to its program's start, or to the failure
    error: str = ""  # why it can't be started
    ready_after: float = 0.0  # startup and ready probes pass from then on
    flaps: float = inf  # once ready, its ready probe passes and fails in turn, for so long
    sick_after: float = inf  # live probes fail from then on
    probe_takes: float = 0.0  # one attempt; it fails where that is longer than its time-out
    exits_after: float = inf  # by itself, so long after its program's start …
    exit: Exit = Exit(code=0)  # … so
    reads: float = 0.0  # from the end of its input until it has read all …
    leaves: float = inf  # … and from then until it ends because of that
    drains: float = 0.0  # from the stop signal to its end; inf: it ignores the signal …
    drained: Exit = TERMINATED  # … so
    left: int = 0  # processes that outlive the main one
    dies_within: float = 0.0  # from SIGKILL to its end
    empties_within: float = 0.0  # from SIGKILL to the end of what it left
    hooks: dict[Hook, Command] = {}


Behaviour = Callable[[str, int], Script]  # of the member's name and its run's number
