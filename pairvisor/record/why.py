"""Why a group or a member was restarted or ended the last time: its events' causes, in sentences.

An event names its cause, that event its own, and so on, over restarts of the supervisor too. What
is told is the end of that chain, the stop it led to, and what came after. A life of the supervisor
without an end was cut short: it was killed.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from pairvisor.core.effects import Outcome
from pairvisor.core.state import Goal, Reason
from pairvisor.record import words
from pairvisor.record.model import Event, Kind, Why

STOPS = frozenset({Kind.GROUP_STOPPING, Kind.GROUP_OVERRULED})
OF_THE_GROUP = STOPS | {Kind.GROUP_ENDED}
ENDS = frozenset({Kind.MEMBER_EXITED, Kind.MEMBER_FAILED, Kind.MEMBER_UNKILLABLE})
ORDERS = frozenset({Kind.MEMBER_STOPPING, Kind.MEMBER_KILLED})
TOO_LATE = frozenset({Reason.START_TIMEOUT, Reason.TIMEOUT})  # their words say how long it took
NO_MEMBERS_STOP = frozenset({Reason.NOT_STOPPED, Reason.UNKILLABLE})
LONGEST_CHAIN = 20
MOST_NAMES = 5


def why(
    group: str, events: Sequence[Event], member: str | None = None, *, runs: bool = True
) -> Why:
    """Of all events that are known, the oldest first; of one member, or of the group.

    `runs`: a supervisor runs now. Where none does and none has said that it ended, it was killed.
    """
    known = _Known(events)
    last = known.last(OF_THE_GROUP) if member is None else known.last(ENDS, member)
    killed = _killed(known, last, member, runs=runs)
    if killed is not None:
        who = (
            f"group {group} ended because its" if member is None else f"{member} ended because the"
        )
        return Why(text=f"{who} {killed[0]}", events=killed[1])
    if last is None:
        return Why(text=_nothing(known, f"group {group}" if member is None else member), events=[])
    chain = known.chain(last)
    sentences = _group(known, group, chain) if member is None else _member(known, group, chain)
    return Why(text=" ".join(filter(None, sentences)), events=chain)


class _Known:
    """The events, and what can be found in them."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self._by_id = {event.id: event for event in events}

    def chain(self, event: Event) -> list[Event]:
        """The event and what it followed from, the latest first."""
        chain = [event]
        while len(chain) < LONGEST_CHAIN and chain[-1].cause in self._by_id:
            chain.append(self._by_id[chain[-1].cause])
        return chain

    def last(
        self, kinds: frozenset[Kind], member: str | None = None, before: Event | None = None
    ) -> Event | None:
        """The latest of these kinds."""
        return next(_of(kinds, member, reversed(self.events), _is_earlier(before)), None)

    def first(self, kind: Kind, after: Event, member: str | None = None) -> Event | None:
        """The earliest of that kind since then."""
        kinds = frozenset({kind})
        return next(_of(kinds, member, self.events, lambda event: event.id > after.id), None)

    def start(self, event: Event) -> Event | None:
        """Of the member's run that the event is about."""
        return self.last(frozenset({Kind.MEMBER_STARTED}), event.member, event)

    def stop(self, last: Event) -> list[Event]:
        """How the group's stop began that this was the end of, and what overruled that."""
        found: list[Event] = []
        for event in reversed(self.events):
            if event.id <= last.id and event.kind in STOPS:
                found.append(event)
            is_begun = event.kind in (Kind.GROUP_STARTED, Kind.GROUP_BACKOFF)
            if event.id < last.id and (is_begun or event.kind is Kind.GROUP_STOPPING):
                break
        return found


def _of(
    kinds: frozenset[Kind],
    member: str | None,
    events: Sequence[Event] | Iterator[Event],
    matches: Callable[[Event], bool],
) -> Iterator[Event]:
    return (
        event
        for event in events
        if event.kind in kinds and member in (None, event.member) and matches(event)
    )


def _is_earlier(than: Event | None) -> Callable[[Event], bool]:
    return lambda event: than is None or event.id < than.id


def _nothing(known: _Known, who: str) -> str:
    """… as far as anybody can know: the log is bounded."""
    nothing = f"{who} has not been restarted and has not ended"
    if not known.events or known.events[0].id == 1:
        return f"{nothing}."
    return f"{nothing} since {_clock(known.events[0])}; of what was before, no events are left."


# The supervisor's end


def _killed(
    known: _Known, last: Event | None, member: str | None, *, runs: bool
) -> tuple[str, list[Event]] | None:
    """The latest life that has no end, where nothing has been restarted or has ended since."""
    lives = _lives(known.events)
    over, now = (lives[:-1], lives[-1]) if runs and lives else (lives, [])
    life = over[-1] if over else []
    if not life or any(event.kind is Kind.GROUP_ENDED for event in life):
        return None
    if last is not None and (last.id > life[-1].id or not _ran_since(life, last, member)):
        return None
    if last is None and member is not None and not any(event.member == member for event in life):
        return None
    seen = life[-1]
    text = f"supervisor was killed, some time after {_clock(seen)}, when the last event was: "
    again = f" It was started again at {_clock(now[0])}." if now else ""
    return f"{text}{seen.text}.{again}", [seen]


def _lives(events: Sequence[Event]) -> list[list[Event]]:
    """Of the first, the log may have forgotten the beginning."""
    lives: list[list[Event]] = []
    for event in events:
        if event.kind is Kind.SUPERVISOR_STARTED or not lives:
            lives.append([])
        lives[-1].append(event)
    return lives


def _ran_since(life: list[Event], last: Event, member: str | None) -> bool:
    """Whether the member had started again when that life was cut short."""
    starts = (Kind.MEMBER_STARTED, Kind.MEMBER_READY)
    return member is None or any(
        event.id > last.id and event.member == member and event.kind in starts for event in life
    )


# A group


def _group(known: _Known, group: str, chain: list[Event]) -> list[str]:
    last = chain[0]
    stop = known.stop(last)
    if last.kind is Kind.GROUP_ENDED:
        told = _ended(known, group, chain, stop)
    elif last.goal == Goal.RESTART:
        told = [f"group {group} was restarted{_because(known, chain)}."]
    else:
        told = [f"group {group} is stopping{_because(known, chain)}."]
    return [*told, _stopped_with(known, chain, stop), *_again(known, last)]


def _ended(known: _Known, group: str, chain: list[Event], stop: list[Event]) -> list[str]:
    last = chain[0]
    if last.reason in NO_MEMBERS_STOP:
        began = f"It was stopped{_because(known, known.chain(stop[0]))}." if stop else ""
        is_told = bool(stop) and stop[0].cause == last.cause
        return [f"{last.text}.", "" if is_told else began]
    if last.goal == Outcome.STOPPED:
        return [f"group {group} was stopped{_because(known, chain) or ', as asked'}."]
    if last.reason is None:
        return [f"{last.text}: nothing of it was left to run{_last_to_end(known, last)}."]
    root = _root(chain)
    return [f"{last.text}{_how_late(known, root) if root else ''}."]


def _last_to_end(known: _Known, last: Event) -> str:
    end = known.last(frozenset({Kind.MEMBER_EXITED}), before=last)
    return f" when {end.text}" if end is not None else ""


def _because(known: _Known, chain: list[Event]) -> str:
    """What a stop followed from."""
    cause = next((event for event in chain[1:] if event.kind not in OF_THE_GROUP), None)
    if cause is not None:
        return f" because {_clause(known, cause)}{_behind(known, cause)}"
    _, _, text = chain[-1].text.partition(": ")
    return f" because {text}" if text and chain[-1].kind in STOPS else ""


def _clause(known: _Known, cause: Event) -> str:
    """One event as a clause, with what helps to understand it."""
    if cause.kind is Kind.RELOADED:
        who = f"uid {cause.by.uid}" if cause.by is not None else "somebody"
        return f"{who} reloaded the manifest ({cause.detail})"
    return f"{cause.text}{_how_late(known, cause)}" if cause.kind in ENDS else cause.text


def _how_late(known: _Known, end: Event) -> str:
    """`, 3 s after its start`; and of one that had been restarted by itself, how often."""
    when, times = _when(known, end), _own_restarts(known, end)
    count = f"{times} restart{'s' if times > 1 else ''} of its own"
    return f"{when}{' and' if when else ','} after {count}" if times else when


def _when(known: _Known, end: Event) -> str:
    started = known.start(end)
    never_ran = end.exit is not None and end.exit.error is not None
    has_said_so = end.reason in TOO_LATE or end.kind is Kind.MEMBER_UNKILLABLE
    if started is None or never_ran or has_said_so:
        return ""
    return f", {_between(started, end)} after its start"


def _own_restarts(known: _Known, end: Event) -> int:
    """In that round of the group."""
    count = 0
    for event in reversed(known.events):
        if event.id < end.id:
            if event.kind is Kind.GROUP_STARTED:
                break
            count += event.kind is Kind.MEMBER_BACKOFF and event.member == end.member
    return count


def _behind(known: _Known, cause: Event) -> str:
    """Who sent the signal that a member ended by."""
    behind = known.chain(cause)[1:2]
    return f", because {behind[0].text}" if behind and behind[0].kind is Kind.REQUESTED else ""


def _root(chain: list[Event]) -> Event | None:
    """The first event of the chain that is about a member's own end."""
    return next((event for event in chain if event.kind in ENDS), None)


def _stopped_with(known: _Known, chain: list[Event], stop: list[Event]) -> str:
    """All but the one that it began with."""
    root = _root(chain)
    culprit = root.member if root is not None else None
    stops = {event.id for event in stop}
    names = [
        event.member
        for event in known.events
        if event.kind is Kind.MEMBER_STOPPING and event.cause in stops and event.member is not None
    ]
    names = [name for name in names if name not in (culprit, chain[0].member)]
    were = "was" if len(names) == 1 else "were"
    return f"With it, {_listed(names)} {were} stopped." if names else ""


def _again(known: _Known, last: Event) -> list[str]:
    if last.goal != Goal.RESTART:
        return []
    ready = known.first(Kind.GROUP_READY, last)
    if ready is not None:
        return [f"Everything was ready again {_later(last, ready)}."]
    pause = known.first(Kind.GROUP_BACKOFF, last)
    is_on = pause is not None and known.first(Kind.GROUP_STARTED, pause) is None
    if pause is not None and is_on and pause.delay:
        return [_after_a_pause(pause)]
    return ["It is not ready again yet."]


# A member


def _member(known: _Known, group: str, chain: list[Event]) -> list[str]:
    last, name = chain[0], chain[0].member or ""
    orders = [event for event in chain[1:] if event.kind in ORDERS and event.member == name]
    own = ORDERS | {Kind.MEMBER_EXITED}
    rest = [event for event in chain[1:] if event.kind not in own or event.member != name]
    if last.kind is Kind.MEMBER_EXITED and orders:
        told = f"{name} {_obeyed(last, orders)}{_when(known, last)}"
    else:
        told = f"{last.text}{_when(known, last)}"
    return [f"{told}{_for_what(known, group, name, rest)}.", _back(known, last, name)]


def _obeyed(last: Event, orders: list[Event]) -> str:
    """How it ended that was told to."""
    if any(event.kind is Kind.MEMBER_KILLED for event in orders):
        return "was told to stop, did not end in time and was killed"
    if last.exit is not None and last.exit.signal is not None:
        return f"was stopped by {last.exit.signal}"
    return f"was told to stop and {last.text.partition(' ')[2]}"


def _for_what(known: _Known, group: str, name: str, rest: list[Event]) -> str:
    """What the order, or the end itself, followed from."""
    if not rest or rest[0].kind in (Kind.GROUP_STARTED, Kind.SUPERVISOR_STARTED):
        return ""
    stop = rest[0]
    if stop.kind not in STOPS:
        clause = _clause(known, stop) if stop.kind is Kind.RELOADED else stop.text
        return f", because {_of_itself(clause, name)}"
    what = "restarted" if stop.goal == Goal.RESTART else "stopped"
    if len(rest) > 1 and rest[1].member == name and rest[1].kind in ENDS:
        return f", because {_of_itself(rest[1].text, name)}; group {group} was {what} with it"
    return f", with group {group}, which was {what}{_because(known, rest)}"


def _of_itself(clause: str, name: str) -> str:
    return f"it{clause[len(name) :]}" if clause.startswith(f"{name} ") else clause


def _back(known: _Known, last: Event, name: str) -> str:
    started = known.first(Kind.MEMBER_STARTED, last, name)
    if started is not None:
        ready = known.first(Kind.MEMBER_READY, started, name)
        what = "was ready" if ready is not None else "started"
        return f"It {what} again {_later(last, ready or started)}."
    pause = known.first(Kind.MEMBER_BACKOFF, last, name)
    if pause is not None and pause.delay and known.first(Kind.GROUP_STOPPING, pause) is None:
        return _after_a_pause(pause)
    return "It has not started again."


# Words


def _seconds(start: Event, end: Event) -> float:
    """The clock may have been set between the two."""
    taken = datetime.fromisoformat(end.at) - datetime.fromisoformat(start.at)
    return max(taken.total_seconds(), 0.0)


def _between(start: Event, end: Event) -> str:
    return words.seconds(_seconds(start, end))


def _later(start: Event, end: Event) -> str:
    return f"{_between(start, end)} later" if _seconds(start, end) else "at once"


def _after_a_pause(pause: Event) -> str:
    delay = pause.delay or 0.0
    at = datetime.fromisoformat(pause.at) + timedelta(seconds=delay)
    return (
        f"It starts again at {at:%Y-%m-%d %H:%M:%S} UTC, after a pause of {words.seconds(delay)}."
    )


def _clock(event: Event) -> str:
    return f"{event.at[:10]} {event.at[11:19]} UTC"


def _listed(names: list[str]) -> str:
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[: MOST_NAMES - 1])} and {len(names) - MOST_NAMES + 1} others"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
