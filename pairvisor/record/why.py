"""Why a group or a member was restarted or ended the last time: its events' causes, in sentences.

An event names its cause, that event its own, and so on, over restarts of the supervisor too. What
is told is the end of that chain, the episode it led to, and what came after.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from pairvisor.record import words
from pairvisor.record.model import Event, Kind, Why

EPISODES = frozenset({Kind.GROUP_STOPPING, Kind.GROUP_OVERRULED})
LONGEST_CHAIN = 20


def why(
    group: str, events: Sequence[Event], member: str | None = None, *, runs: bool = True
) -> Why:
    """Of all events that are known, the oldest first; of one member, or of the group.

    `runs`: a supervisor runs now. Where none does and none has said that it ended, it was killed.
    """
    told = _Told(group, events)
    return told.of_member(member) if member is not None else told.of_group(runs=runs)


class _Told:
    def __init__(self, group: str, events: Sequence[Event]) -> None:
        self._group = group
        self._events = events
        self._by_id = {event.id: event for event in events}

    def of_group(self, *, runs: bool) -> Why:
        last = self._last(lambda e: e.kind in EPISODES or e.kind is Kind.GROUP_ENDED)
        killed = self._killed(last, runs=runs)
        if killed is not None:
            return killed
        if last is None:
            return Why(
                text=f"group {self._group} has not been restarted and has not ended.", events=[]
            )
        chain = self._chain(last)
        sentences = [self._main(last, chain), self._stopped_with(last, chain), self._again(last)]
        return _joined(sentences, chain)

    def of_member(self, name: str) -> Why:
        exited = self._last(lambda e: e.kind is Kind.MEMBER_EXITED and e.member == name)
        failed = self._last(lambda e: e.kind is Kind.MEMBER_FAILED and e.member == name)
        last = exited or failed
        if last is None:
            return Why(text=f"{name} has not been restarted and has not ended.", events=[])
        chain = self._chain(last)
        started = self._before(last, Kind.MEMBER_STARTED, name)
        after = f", {_between(started, last)} after its start" if started else ""
        first = f"{last.text}{after}{self._because(chain)}."
        back = self._after(last, Kind.MEMBER_STARTED, name)
        ready = self._after(last, Kind.MEMBER_READY, name)
        return _joined([first, _back(name, last, back, ready)], chain)

    def _killed(self, last: Event | None, *, runs: bool) -> Why | None:
        """Where a life has begun and its end is in no event."""
        begins = [event for event in self._events if event.kind is Kind.SUPERVISOR_STARTED]
        if runs:
            begins, over = begins[:-1], begins[-1:]
        else:
            over = []
        if not begins:
            return None
        life, until = begins[-1], over[0] if over else None
        own = [e for e in self._events if e.id > life.id and (until is None or e.id < until.id)]
        if any(event.kind is Kind.GROUP_ENDED for event in own):
            return None
        if last is not None and until is not None and last.id > until.id:
            return None
        seen = own[-1] if own else life
        text = (
            f"group {self._group} ended because its supervisor was killed, some time after "
            f"{_clock(seen.at)}, when the last event was: {seen.text}."
        )
        again = f" It was started again at {_clock(until.at)}." if until is not None else ""
        return Why(text=text + again, events=[seen])

    def _main(self, last: Event, chain: list[Event]) -> str:
        root = self._root(chain)
        if last.kind is Kind.GROUP_ENDED:
            return f"{last.text}{self._after_start(root)}{self._because(chain[1:], but=root)}."
        what = "restarted" if last.goal == "restart" else "stopped"
        if last.cause is None:
            reason = f" because {_without_group(last.text)}" if last.reason else ""
            return f"group {self._group} was {what}{reason}."
        cause = chain[1] if len(chain) > 1 else last
        return (
            f"group {self._group} was {what} because {cause.text}{self._after_start(cause)}"
            f"{self._because(chain[1:])}."
        )

    def _because(self, chain: list[Event], but: Event | None = None) -> str:
        """What the first of the chain followed from, where that is not said yet."""
        parts = []
        for event in chain[1:]:
            if event is but or event.kind in EPISODES | {Kind.MEMBER_STOPPING, Kind.MEMBER_KILLED}:
                continue
            if event.kind in (Kind.SUPERVISOR_STARTED, Kind.GROUP_STARTED):
                break
            parts.append(event.text)
        return f", because {parts[0]}" if parts else self._with_group(chain)

    def _with_group(self, chain: list[Event]) -> str:
        stopping = next((event for event in chain[1:] if event.kind in EPISODES), None)
        return f", because {stopping.text}" if stopping is not None else ""

    def _after_start(self, event: Event | None) -> str:
        if event is None or event.member is None or event.kind is Kind.REQUESTED:
            return ""
        started = self._before(event, Kind.MEMBER_STARTED, event.member)
        return f", {_between(started, event)} after its start" if started else ""

    def _root(self, chain: list[Event]) -> Event | None:
        """The first event of the chain that is about a member."""
        ends = (Kind.MEMBER_EXITED, Kind.MEMBER_FAILED)
        return next((event for event in chain if event.kind in ends), None)

    def _stopped_with(self, last: Event, chain: list[Event]) -> str:
        """All but the one that it began with."""
        root, stopping = self._root(chain), last
        while stopping.kind is Kind.GROUP_ENDED and stopping.cause in self._by_id:
            stopping = self._by_id[stopping.cause]
        names = [
            event.member
            for event in self._events
            if event.kind is Kind.MEMBER_STOPPING and event.cause == stopping.id and event.member
            if root is None or event.member != root.member
        ]
        if not names:
            return ""
        were = "was" if len(names) == 1 else "were"
        return f"With it, {_listed(names)} {were} stopped."

    def _again(self, last: Event) -> str:
        if last.goal != "restart":
            return ""
        ready = self._after(last, Kind.GROUP_READY)
        if ready is not None:
            return f"Everything was ready again {_between(last, ready)} later."
        return "It is not ready again yet."

    def _chain(self, event: Event) -> list[Event]:
        """The event and what it followed from, the latest first."""
        chain = [event]
        while len(chain) < LONGEST_CHAIN and chain[-1].cause in self._by_id:
            chain.append(self._by_id[chain[-1].cause])
        return chain

    def _last(self, matches: Callable[[Event], bool]) -> Event | None:
        return next(filter(matches, reversed(self._events)), None)

    def _before(self, event: Event, kind: Kind, member: str | None = None) -> Event | None:
        return next(_of(reversed(self._events), kind, member, lambda e: e.id < event.id), None)

    def _after(self, event: Event, kind: Kind, member: str | None = None) -> Event | None:
        return next(_of(self._events, kind, member, lambda e: e.id > event.id), None)


def _of(
    events: Iterable[Event], kind: Kind, member: str | None, matches: Callable[[Event], bool]
) -> Iterator[Event]:
    return (
        event
        for event in events
        if event.kind is kind and member in (None, event.member) and matches(event)
    )


def _back(name: str, last: Event, back: Event | None, ready: Event | None) -> str:
    if ready is not None:
        return f"It was ready again {_between(last, ready)} later."
    return f"It started again {_between(last, back)} later." if back else f"{name} is down."


def _joined(sentences: list[str], chain: list[Event]) -> Why:
    return Why(text=" ".join(filter(None, sentences)), events=chain)


def _without_group(text: str) -> str:
    return text.partition(": ")[2] or text


def _between(start: Event, end: Event) -> str:
    taken = datetime.fromisoformat(end.at) - datetime.fromisoformat(start.at)
    return words.seconds(max(taken.total_seconds(), 0.0))


def _clock(at: str) -> str:
    return f"{at[:10]} {at[11:19]} UTC"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
