"""How a group ended, from what its last life has left on the disk: its events and its result.

Each of the two can be missing: a full disk takes no more events, and a supervisor that is killed
writes no result. What one of them tells stands in for the other.
"""

from collections.abc import Sequence
from typing import cast

from pairvisor.core.state import Reason
from pairvisor.record.model import Cause, Event, GroupState, Kind, Status


def with_end(events: Sequence[Event], status: Status | None) -> list[Event]:
    """With the end that only the result knows of, if that is so."""
    known = list(events)
    if status is None or status.ended_at is None or status.state == "killed":
        return known
    if _end(known) is not None:
        return known
    if known and status.ended_at < known[-1].at:
        return known  # it is an earlier life's
    cause = status.cause
    why = f": {cause.text}" if cause is not None else ""
    end = Event(
        id=known[-1].id + 1 if known else 1,
        at=status.ended_at,
        kind=Kind.GROUP_ENDED,
        text=f"group {status.group} {status.state}{why}",
        goal=status.state,
        status=status.exit_status,
        reason=cause.reason if cause is not None else None,
    )
    return [*known, end]


def status_of(group: str, events: Sequence[Event], manifest: str, *damages: str) -> Status:
    """A result, where there is none: the events are all there is. `damages` say why."""
    end = _end(events)
    began = next((e for e in reversed(events) if e.kind is Kind.SUPERVISOR_STARTED), None)
    return Status(
        group=group,
        state=cast("GroupState", end.goal) if end is not None else "killed",
        ready=False,
        restarts=0,
        containment="",
        manifest=manifest,
        pid=None,
        started_at=began.at if began is not None else None,
        ready_at=None,
        ended_at=events[-1].at if events else None,
        exit_status=end.status if end is not None else None,
        degraded=list(damages),
        cause=_cause(end),
        members=[],
    )


def _end(events: Sequence[Event]) -> Event | None:
    """Of the last life."""
    for event in reversed(events):
        if event.kind is Kind.GROUP_ENDED:
            return event
        if event.kind is Kind.SUPERVISOR_STARTED:
            break
    return None


def _cause(end: Event | None) -> Cause | None:
    if end is None or end.reason is None:
        return None
    asked = end.reason is Reason.REQUEST
    text = "the group was asked to stop" if asked else end.text.partition(": ")[2]
    return Cause(reason=end.reason, text=text, at=end.at)
