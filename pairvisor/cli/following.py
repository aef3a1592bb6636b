"""Waits until something has happened to a running group, by following its events.

No question is asked again and again: an event that may have changed the answer leads to one look
at the group's status. The first event that is followed is one that there was already, so nothing
can happen unseen between the look and the following.
"""

import fcntl
import os
from collections.abc import Collection, Generator
from contextlib import closing
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
    }
)


class Look(NamedTuple):
    """An event, and the status since; none once the group has ended."""

    event: Event
    status: Status | None


def looks(
    client: Client,
    since: int | None = None,
    within: float = inf,
    kinds: Collection[Kind] = CHANGES,
) -> Generator[Look]:
    """At the group, now and after each event of these kinds, to its end.

    `since` is the id of an event there was; without it, the latest. Raises TimedOutError.
    """
    first = {"n": 1} if since is None else {"since": since - 1}
    is_first = True
    with closing(client.follow_events(**first, within=within)) as events:
        try:
            for event in events:
                if is_first or event.kind in kinds:
                    yield Look(event, _status(client, event))
                is_first = False
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
