"""Waits until something has happened to a running group, by following its events.

No question is asked again and again: an event that may have changed the answer leads to one look
at the group's status. The first event that is followed is one that there was already, so nothing
can happen unseen between the look and the following.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from math import inf
from typing import NamedTuple

from pairvisor.api.client import Client, LostError, NotRunningError
from pairvisor.record.model import Event, Kind, Status

CHANGES = frozenset(
    {
        Kind.GROUP_STARTED,
        Kind.GROUP_READY,
        Kind.GROUP_STOPPING,
        Kind.GROUP_OVERRULED,
        Kind.GROUP_BACKOFF,
        Kind.GROUP_ENDED,
        Kind.MEMBER_STARTED,
        Kind.MEMBER_READY,
        Kind.MEMBER_UNREADY,
        Kind.MEMBER_FAILED,
        Kind.MEMBER_STOPPING,
        Kind.MEMBER_KILLED,
        Kind.MEMBER_EXITED,
        Kind.MEMBER_BACKOFF,
        Kind.REQUESTED,
    }
)


class Look(NamedTuple):
    """An event, and the status since; none once the group has ended."""

    event: Event
    status: Status | None


@contextmanager
def followed(
    client: Client, since: int | None = None, within: float = inf
) -> Iterator[Iterator[Look]]:
    """Looks at the group, after each event that may have changed it, to its end.

    The first is at an event that there was: the one with the id `since`, or else the latest. It
    has come when this returns, so nothing that is asked for from then on can be missed. Raises
    TimedOutError.
    """
    first = {"n": 1} if since is None else {"since": since - 1}
    with closing(client.follow_events(**first, within=within)) as events:
        latest = next(events, None)
        yield iter(()) if latest is None else _looks(client, latest, events)


def _looks(client: Client, latest: Event, events: Iterator[Event]) -> Iterator[Look]:
    yield Look(latest, _status(client, latest))
    try:
        for event in events:
            if event.kind in CHANGES:
                yield Look(event, _status(client, event))
    except LostError:  # it was killed
        return


def _status(client: Client, event: Event) -> Status | None:
    try:
        return None if event.kind is Kind.GROUP_ENDED else client.status()
    except (NotRunningError, LostError):  # what is left of the events tells how it ended
        return None


class Leaving:
    """Waits until nothing of a group is left. To be made while it runs.

    The lock is held until the last process is gone, by the guard after the supervisor; another
    start's is another file. Who may not read it, as those of a control group, waits for no more
    than the end of the events.
    """

    def __init__(self, run: str) -> None:
        try:
            self._lock = os.open(f"{run}/lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._lock = -1

    def wait(self) -> None:
        if self._lock >= 0:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            os.close(self._lock)
