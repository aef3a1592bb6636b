"""Who waited for whom, and how long, in the last start of a group: from its events."""

from collections.abc import Sequence
from datetime import datetime

from pairvisor.manifest.group import Gate, Group
from pairvisor.record.model import Bar, Event, Kind, Timeline


def timeline(events: Sequence[Event], group: Group) -> Timeline:
    """The round that began last; seconds count from there."""
    began = next((e for e in reversed(events) if e.kind is Kind.GROUP_STARTED), None)
    if began is None:
        return Timeline(group=group.name, round=0, at="", took=None, bars=[])
    since = [event for event in events if event.id > began.id]
    marks = {name: _Marks(name, since, began) for name in group.members}
    ready = next((e for e in since if e.kind is Kind.GROUP_READY), None)
    critical = _critical(group, marks)
    return Timeline(
        group=group.name,
        round=began.round or 0,
        at=began.at,
        took=_seconds(began, ready) if ready is not None else None,
        bars=[
            Bar(
                member=name,
                waited_for=list(member.after),
                spawned=marks[name].spawned,
                ready=marks[name].ready,
                ended=marks[name].ended,
                is_critical=name in critical,
            )
            for name, member in sorted(
                group.members.items(), key=lambda item: _order(marks[item[0]])
            )
        ],
    )


class _Marks:
    """When one member did what for the first time in this round."""

    def __init__(self, name: str, events: Sequence[Event], began: Event) -> None:
        own = [event for event in events if event.member == name]
        self.spawned = _first(own, Kind.MEMBER_STARTED, began)
        self.ready = _first(own, Kind.MEMBER_READY, began)
        self.ended = _first(own, Kind.MEMBER_EXITED, began)

    def passed(self, gate: Gate) -> float | None:
        if gate is Gate.STARTED:
            return self.spawned
        return self.ready if gate is Gate.READY else self.ended


def _order(marks: _Marks) -> float:
    return marks.spawned if marks.spawned is not None else float("inf")


def _first(events: Sequence[Event], kind: Kind, began: Event) -> float | None:
    return next((_seconds(began, event) for event in events if event.kind is kind), None)


def _seconds(start: Event, end: Event) -> float:
    """The clock may have been set between the two."""
    taken = datetime.fromisoformat(end.at) - datetime.fromisoformat(start.at)
    return max(round(taken.total_seconds(), 3), 0.0)


def _critical(group: Group, marks: dict[str, _Marks]) -> set[str]:
    """From the last to become ready back through whom each waited for the longest."""
    done = {name: (m.ready, _order(m)) for name, m in marks.items() if m.ready is not None}
    found: set[str] = set()
    name = max(done, key=lambda one: done[one], default=None)
    while name is not None and name not in found:
        found.add(name)
        gates = group.members[name].after.items()
        passed = {one: at for one, gate in gates if (at := marks[one].passed(gate)) is not None}
        name = max(passed, key=lambda one: passed[one], default=None)
    return found
