"""What has happened, on its way from the core to the disk, to those that follow, and to a person.

The journal knows the causes, the history keeps; here they get the time, and the disk once a turn
of the loop. What happens before the loop runs waits for it, so that reading the old log delays
no member.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from pairvisor import __version__
from pairvisor.core import effects as do
from pairvisor.core.state import GroupState
from pairvisor.manifest.group import Group

if TYPE_CHECKING:
    import asyncio

    from pairvisor.record.journal import Journal, Notes
    from pairvisor.record.model import Caller, Event, Status
    from pairvisor.runtime.history import History

Observer = Callable[[GroupState, do.News], None]
QUIET = 60.0  # seconds in which the refusals of one uid are one event


def now() -> str:
    """The wall clock, for people: RFC 3339 in UTC. No deadline is judged by it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Records:
    """`observe` is told each piece of news at once. `on_event` is called when there are new events,
    `on_kept` with each of them."""

    def __init__(self, group: Group, observe: Observer) -> None:
        self._name = group.name
        self._folder = group.places.state
        self._observe = observe
        self._early: list[tuple[GroupState, do.News, str]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_flush_due = False
        self._was_degraded = False
        self._is_over = False
        self._began = now()
        self._refused: dict[int, float] = {}
        self.troubles: dict[str, str] = {}  # by where members' lines don't get
        self.unmet_limits: list[str] = []
        self._notes: Notes | None = None  # another one's
        self._early_degraded: list[str] = []
        self.lost_lines: dict[str, int] = {}  # by member
        self.on_event: Callable[[], None] = lambda: None
        self.on_kept: Callable[[Event], None] = lambda _: None
        self.journal: Journal
        self.history: History

    def hand_over(self) -> "Notes":
        """What is known beside the events; these are on the disk, as far as it takes them."""
        self.history.flush()
        return self.journal.hand_over()

    def take_over(
        self, notes: "Notes", troubles: dict[str, str], unmet: list[str], lost: dict[str, int]
    ) -> None:
        """Another one's, before `begin`: its life goes on."""
        self._notes = notes
        self.troubles, self.unmet_limits, self.lost_lines = troubles, unmet, lost

    def begin(self, loop: "asyncio.AbstractEventLoop") -> None:
        """The loop runs: read what is on the disk, and catch up."""
        from pairvisor.record.journal import Journal  # noqa: PLC0415 - not before the first members
        from pairvisor.runtime.history import History  # noqa: PLC0415

        self._loop = loop
        self.history = History(self._folder)
        self.journal = Journal(self.history.last_id + 1)
        if self._notes is None:
            self._keep(self.journal.started(self._began, self.history.lost))
        else:
            self.journal.take_over(self._notes)
        for text in self._early_degraded:
            self._keep(self.journal.degraded(text, self._began))
        early, self._early = self._early, []
        for state, news, at in early:
            self._keep(*self.journal.tell(state, news, at))

    @property
    def degraded(self) -> list[str]:
        """What of ours can't be done for now."""
        return [*self.history.degraded, *self.troubles.values(), *self.unmet_limits]

    def contained(self, where: str, why: str) -> None:
        """A member could not be put into its cgroup; or again it can, where `why` is empty."""
        if why and where not in self.troubles:
            self.troubles[where] = text = f"{where}: {why}"
            self._degraded(text)
        elif not why and self.troubles.pop(where, ""):
            self._keep(self.journal.recovered(f"{where} is there again", now()))

    def unmet(self, limits: Iterable[object]) -> None:
        """Those that can't be held, and need not be."""
        texts = list(map(str, limits))
        for text in texts:
            if text not in self.unmet_limits:
                self._degraded(text)
        self.unmet_limits = texts

    def _degraded(self, text: str) -> None:
        if self._loop is None:
            self._early_degraded.append(text)
        else:
            self._keep(self.journal.degraded(text, now()))

    def trouble(self, where: str, why: str) -> str:
        """Members' lines don't get there, or do again where `why` is empty; that in words."""
        if why:
            self.troubles[where] = text = f"{where}: {why}"
            self._keep(self.journal.degraded(text, now()))
        else:
            self.troubles.pop(where, None)
            text = f"{where} takes what is written again"
            self._keep(self.journal.recovered(text, now()))
        return text

    def lost(self, member: str, where: str, lines: int) -> str:
        """Lines that did not get there; that in words."""
        self.lost_lines[member] = self.lost_lines.get(member, 0) + lines
        event = self.journal.lost(member, where, lines, now())
        self._keep(event)
        return event.text

    def tell(self, state: GroupState, news: do.News) -> None:
        """What the core has to say."""
        self._observe(state, news)
        if self._loop is None:
            self._early.append((state, news, now()))
        else:
            self._keep(*self.journal.tell(state, news, now()))

    def _keep(self, *events: "Event") -> None:
        """Of what happens after the end, nobody is told: the end is the last event."""
        if self._is_over:
            return
        for event in events:
            self._add(event)
        if events and self._loop is not None and not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _add(self, event: "Event") -> None:
        self.history.add(event)
        self.on_kept(event)

    def _flush(self) -> None:
        self._is_flush_due = False
        self.history.flush()
        self._note_degradation()
        self.on_event()

    def _note_degradation(self) -> None:
        """Once when it begins, and once when it is over."""
        is_degraded = bool(self.history.degraded)
        if self._is_over:
            return
        if is_degraded and not self._was_degraded:
            self._add(self.journal.degraded(self.history.degraded[0], now()))
        elif self._was_degraded and not is_degraded:
            self._add(self.journal.recovered("events are kept again", now()))
        self._was_degraded = is_degraded

    def requested(self, what: str, by: "Caller | None" = None) -> int:
        """Somebody asked for something; the event's id."""
        return self._noted(self.journal.requested(what, by, now()))

    def signalled(self, name: str, member: str, by: "Caller") -> int:
        """Somebody asked for a signal: what the member makes of it follows from that."""
        what = f"send {name} to {member}"
        return self._noted(self.journal.requested(what, by, now(), member, name))

    def _noted(self, event: "Event") -> int:
        self._keep(event)
        return event.id

    def refused(self, by: "Caller") -> None:
        """A client was; one who tries again and again fills no log."""
        if monotonic() - self._refused.get(by.uid, -QUIET) >= QUIET:
            self._refused[by.uid] = monotonic()
            self._keep(self.journal.refused(by, now()))

    def fault(self, what: str) -> None:
        """A mistake of ours that cost one request."""
        self._keep(self.journal.fault(what, now()))

    def reload_failed(self, problem: str, by: "Caller | None") -> None:
        self._keep(self.journal.reload_failed(problem, by, now()))

    def reloaded(self, what: str, by: "Caller | None") -> int:
        return self._noted(self.journal.reloaded(what, by, now()))

    def reexecuted(self, before: str, cause: int | None) -> str:
        """This program has taken over from that version; that in words."""
        event = self.journal.reexecuted(before, __version__, cause, now())
        self._keep(event)
        return event.text

    def reexec_failed(self, why: str, cause: int | None) -> str:
        """In words."""
        event = self.journal.reexec_failed(why, cause, now())
        self._keep(event)
        return event.text

    def file_changed(self, member: str, file: str) -> int:
        return self._noted(self.journal.file_changed(member, file, now()))

    def ended(self, finish: do.Finish) -> None:
        self._keep(self.journal.ended(self._name, finish, now()))
        self._is_over = True
        self._flush()

    def close(self, status: "Status") -> None:
        """The last word on the disk: the result."""
        self.history.finish(status)
