"""The core's news as events, each with the number of the one that it follows from.

The core says in a `Cause` whose failure, or which request, something followed from. What the
number of that event is, is remembered here, for each member and for the group. Nothing here looks
at the state for where things stand: news of a step is told when the state is further on already.
"""

from typing import assert_never

from msgspec import Struct

from pairvisor.core import effects as do
from pairvisor.core.state import Cause, Goal, GroupPhase, GroupState, Phase, Reason
from pairvisor.record import model, states, words
from pairvisor.record.model import Caller, Event, Kind

OF_A_START = frozenset({Kind.MEMBER_STARTED, Kind.MEMBER_READY, Kind.MEMBER_EXITED})
TO_END = frozenset({"SIGTERM", "SIGINT", "SIGQUIT"})  # a program may take these for an order to


class About(Struct):
    """What a status says of a member, and the core doesn't keep; the numbers are events'."""

    started_at: str | None = None
    ready_at: str | None = None
    exit: model.Exit | None = None
    ended_at: str | None = None
    cause: model.Cause | None = None
    is_ready: bool = False
    was_told: bool = False  # to stop, in this run
    failed: int | None = None
    told: int | None = None
    exited: int | None = None
    unkillable: int | None = None
    restarts_for: int | None = None  # what its next start follows from
    told_for: int = 0  # the request that it was told to stop for
    signalled: tuple[str, int] | None = None  # the latest request to signal it


class AboutGroup(Struct):
    """The same of the group."""

    started_at: str | None = None
    ready_at: str | None = None
    ended_at: str | None = None
    cause: model.Cause | None = None
    round: int = 0
    began: int | None = None
    stopping: int | None = None
    is_stopping: bool = False


class Notes(Struct, frozen=True):
    """What a journal remembers."""

    next: int
    group: AboutGroup
    members: dict[str, About]
    opening: list[Event]


class Journal:
    """Gives numbers, from `first` on.

    `opening` is what a timeline of the present round needs, however much has happened since.
    """

    def __init__(self, first: int = 1) -> None:
        self.next = first
        self.group = AboutGroup()
        self.opening: list[Event] = []
        self._opened: set[tuple[Kind, str | None]] = set()
        self._members: dict[str, About] = {}
        self._new: list[Event] = []

    def hand_over(self) -> Notes:
        return Notes(self.next, self.group, self._members, self.opening)

    def take_over(self, notes: Notes) -> None:
        """Another one's: it goes on where that has stopped."""
        self.next, self.group = notes.next, notes.group
        self._members, self.opening = notes.members, notes.opening
        self._opened = {(event.kind, event.member) for event in notes.opening}

    def about(self, member: str) -> About:
        return self._members.setdefault(member, About())

    def tell(self, state: GroupState, news: do.News, at: str) -> list[Event]:
        """The events that a piece of news is, none or several."""
        self._new = []
        match news:
            case do.Moved():
                self._moved(state, news, at)
            case do.ReadinessChanged():
                self._readiness_changed(news, at)
            case do.LeftBehind():
                self._left_behind(news, at)
            case do.GroupMoved():
                self._group_moved(state, news, at)
            case do.Overruled():
                self._overruled(state, news, at)
            case _:
                assert_never(news)
        return self._new

    def _add(self, at: str, kind: Kind, text: str, cause: int | None = None, **more: object) -> int:
        event = Event(id=self.next, at=at, kind=kind, text=text, cause=cause, **more)  # type: ignore[arg-type]
        self.next += 1
        self._new.append(event)
        if kind in OF_A_START:
            self._open(event)
        return event.id

    def _open(self, event: Event) -> None:
        """Each member's first start, readiness and end are the round's."""
        what = (event.kind, event.member)
        if what not in self._opened:
            self._opened.add(what)
            self.opening.append(event)

    def _one(self, at: str, kind: Kind, text: str, **more: object) -> Event:
        self._new = []
        self._add(at, kind, text, **more)  # type: ignore[arg-type]
        return self._new[0]

    def _moved(self, state: GroupState, news: do.Moved, at: str) -> None:
        name, about = news.member, self.about(news.member)
        match news.phase:
            case Phase.STARTING:
                self._member_started(news, about, at)
            case Phase.PRE_STOP | Phase.DRAINING | Phase.STOPPING:
                self._member_told(news, about, at)
            case Phase.KILLING:
                text = f"{name} did not end in time and is killed"
                about.told = self._add(at, Kind.MEMBER_KILLED, text, about.told, member=name)
            case Phase.EMPTYING if news.exit is not None:
                self._member_exited(news, about, at)
            case Phase.BACKOFF:
                self._member_backoff(state, news, about, at)
            case Phase.ENDED if news.cause is not None and news.cause.reason is not Reason.REQUEST:
                about.cause = states.cause_document(news.cause, at)
            case Phase.UNKILLABLE:
                text = f"{name} can't be killed: {news.cause.detail if news.cause else ''}"
                cause = about.exited or about.told
                about.unkillable = self._add(at, Kind.MEMBER_UNKILLABLE, text, cause, member=name)
            case _:
                pass

    def _member_started(self, news: do.Moved, about: About, at: str) -> None:
        cause, asked = about.restarts_for or self.group.began, _request_of(news.cause)
        if asked and asked != about.told_for:
            cause = asked
        about.started_at, about.ready_at, about.was_told, about.is_ready = at, None, False, False
        about.failed = about.told = about.exited = about.unkillable = about.restarts_for = None
        about.told_for, about.signalled = 0, None
        self._add(
            at,
            Kind.MEMBER_STARTED,
            f"{news.member} starts",
            cause,
            member=news.member,
            run=news.run,
        )

    def _member_told(self, news: do.Moved, about: About, at: str) -> None:
        if about.was_told:
            return
        about.was_told = True
        if self.group.is_stopping:
            cause, why = self.group.stopping, "with the group"
        else:
            cause = self._number_of(news.cause, at)
            why = words.cause(news.cause) if news.cause else ""
            about.told_for = _request_of(news.cause)
        asked = news.cause is not None and news.cause.reason is Reason.REQUEST
        why = "as asked" if asked and not self.group.is_stopping else why
        text = f"{news.member} is told to stop" + (f": {why}" if why else "")
        about.told = self._add(
            at, Kind.MEMBER_STOPPING, text, cause, member=news.member, run=news.run
        )
        about.restarts_for = about.told

    def _member_exited(self, news: do.Moved, about: About, at: str) -> None:
        if news.exit is None:
            return
        about.exit, about.ended_at = states.exit_document(news.exit), at
        text = f"{news.member} {words.end(news.exit)}"
        cause = about.told or _signal_that_ended(about)
        about.exited = about.restarts_for = self._add(
            at, Kind.MEMBER_EXITED, text, cause, member=news.member, run=news.run, exit=about.exit
        )

    def _member_backoff(self, state: GroupState, news: do.Moved, about: About, at: str) -> None:
        pause = state.members[news.member].pause
        when = f" in {words.seconds(pause)}" if pause else ""
        if news.cause is not None and news.cause.reason is not Reason.REQUEST:
            about.cause = states.cause_document(news.cause, at)
        about.restarts_for = self._add(
            at,
            Kind.MEMBER_BACKOFF,
            f"{news.member} restarts{when}",
            about.exited,
            member=news.member,
            run=news.run,
            delay=pause,
        )

    def _number_of(self, cause: Cause | None, at: str) -> int | None:
        """The event that a cause is; that somebody was found failing is one of its own."""
        if cause is None or not cause.member or cause.reason is Reason.REQUEST:
            return _request_of(cause) or None
        about = self.about(cause.member)
        known = {
            Reason.EXIT: about.exited,
            Reason.SIGNAL: about.exited,
            Reason.SPAWN: about.exited,
            Reason.UNKILLABLE: about.unkillable,
            Reason.NOT_STOPPED: about.told,
        }
        if cause.reason in known:
            return known[cause.reason]
        if about.failed is None:
            about.failed = self._add(
                at,
                Kind.MEMBER_FAILED,
                words.cause(cause),
                member=cause.member,
                reason=cause.reason,
                detail=cause.detail,
            )
        return about.failed

    def _readiness_changed(self, news: do.ReadinessChanged, at: str) -> None:
        about = self.about(news.member)
        about.is_ready = news.ready
        if news.ready:
            about.ready_at = at
            self._add(
                at, Kind.MEMBER_READY, f"{news.member} is ready", member=news.member, run=news.run
            )
        elif news.detail:
            text = f"{news.member} is not ready any more: {news.detail}"
            self._add(at, Kind.MEMBER_UNREADY, text, member=news.member, run=news.run)

    def _left_behind(self, news: do.LeftBehind, at: str) -> None:
        plural = "es" if news.count > 1 else ""
        text = f"{news.member} left {news.count} process{plural} behind, killed"
        cause = self.about(news.member).exited
        self._add(at, Kind.LEFT_BEHIND, text, cause, member=news.member, run=news.run)

    def _group_moved(self, state: GroupState, news: do.GroupMoved, at: str) -> None:
        name, group = state.spec.name, self.group
        match news.phase:
            case GroupPhase.STARTING:
                self._round_began(name, news.cause, at)
            case GroupPhase.RUNNING:
                group.ready_at = at
                self._add(
                    at, Kind.GROUP_READY, f"group {name} is ready", group.began, round=group.round
                )
                self.opening.append(self._new[-1])
            case GroupPhase.STOPPING:
                self._group_stopping(state, news.cause, at)
            case GroupPhase.BACKOFF:
                group.is_stopping = False
                when = f" in {words.seconds(news.delay)}" if news.delay else " at once"
                text = f"group {name} starts again{when}"
                self._add(at, Kind.GROUP_BACKOFF, text, group.stopping, delay=news.delay)
            case _:
                pass

    def _round_began(self, name: str, cause: Cause | None, at: str) -> None:
        group = self.group
        group.round += 1
        usual, asked = group.stopping or group.began or 0, _request_of(cause)
        group.ready_at, group.is_stopping = None, False
        again = f" again (restart {group.round - 1})" if group.round > 1 else ""
        group.began = self._add(
            at,
            Kind.GROUP_STARTED,
            f"group {name} starts{again}",
            max(asked, usual) or None,  # a pause may have been cut short since
            round=group.round,
        )
        self.opening, self._opened = self._new[-1:], set()
        for about in self._members.values():
            about.restarts_for = None

    def _group_stopping(self, state: GroupState, cause: Cause | None, at: str) -> None:
        self.group.is_stopping = True
        what = "is restarted" if state.goal is Goal.RESTART else "is stopped"
        text = f"group {state.spec.name} {what}{_because(cause)}"
        self._group_stops(Kind.GROUP_STOPPING, text, state.goal, cause, at)

    def _overruled(self, state: GroupState, news: do.Overruled, at: str) -> None:
        text = f"group {state.spec.name} is not restarted but stopped{_because(news.cause)}"
        self._group_stops(Kind.GROUP_OVERRULED, text, news.goal, news.cause, at)

    def _group_stops(self, kind: Kind, text: str, goal: Goal, cause: Cause | None, at: str) -> None:
        number, group = self._number_of(cause, at), self.group
        group.cause = states.cause_document(cause, at) if cause is not None else None
        group.stopping = self._add(
            at,
            kind,
            text,
            number,
            goal=str(goal),
            reason=cause.reason if cause else None,
            detail=cause.detail if cause else "",
            exit=group.cause.exit if group.cause else None,
        )

    def started(self, at: str, lost: int = 0) -> Event:
        """A supervisor's life begins: its events follow from this one.

        `lost` lines of what is known of earlier lives could not be read.
        """
        self.group.started_at = at
        lines = f"{lost} line{'s' if lost > 1 else ''} of the earlier events can't be read"
        text = f"the supervisor starts ({lines})" if lost else "the supervisor starts"
        event = self._one(at, Kind.SUPERVISOR_STARTED, text)
        self.group.began = event.id
        return event

    def ended(self, name: str, finish: do.Finish, at: str) -> Event:
        """The last of a life."""
        self.group.ended_at = at
        cause = finish.cause
        self.group.cause = states.cause_document(cause, at) if cause is not None else None
        is_nearer = cause is not None and cause.reason in (Reason.NOT_STOPPED, Reason.UNKILLABLE)
        # A stop that nothing is left to do for, as in a backoff, is no event of its own.
        follows = self.group.stopping if self.group.is_stopping and not is_nearer else None
        return self._one(
            at,
            Kind.GROUP_ENDED,
            f"group {name} {words.result(finish)}",
            cause=follows or self._number_of(cause, at),
            goal=str(finish.outcome),
            status=finish.status,
            reason=cause.reason if cause else None,
        )

    def requested(
        self,
        what: str,
        by: Caller | None,
        at: str,
        member: str | None = None,
        signal: str = "",
    ) -> Event:
        """Somebody asked for something. `what` goes on where `asked to` ends; `signal` is what the
        member is sent."""
        who = f"uid {by.uid}" if by is not None else "somebody"
        event = self._one(
            at, Kind.REQUESTED, f"{who} asked to {what}", detail=what, by=by, member=member
        )
        if signal and member is not None:
            self.about(member).signalled = signal, event.id
        return event

    def refused(self, by: Caller, at: str) -> Event:
        text = f"uid {by.uid} (process {by.pid}) was refused on the control socket"
        return self._one(at, Kind.REFUSED, text, by=by)

    def reloaded(self, what: str, by: Caller | None, at: str) -> Event:
        return self._one(at, Kind.RELOADED, f"reloaded: {what}", detail=what, by=by)

    def reload_failed(self, problem: str, by: Caller | None, at: str) -> Event:
        text = f"not reloaded, all runs on: {problem}"
        return self._one(at, Kind.RELOAD_FAILED, text, detail=problem, by=by)

    def reexecuted(self, before: str, now: str, cause: int | None, at: str) -> Event:
        """`before` and `now` are versions."""
        text = f"pairvisor {now} has taken over from {before}: the members run on"
        return self._one(at, Kind.REEXECUTED, text, cause=cause, detail=f"{before} to {now}")

    def reexec_failed(self, why: str, cause: int | None, at: str) -> Event:
        text = f"not re-executed, all runs on as it was: {why}"
        return self._one(at, Kind.REEXEC_FAILED, text, cause=cause, detail=why)

    def file_changed(self, member: str, file: str, at: str) -> Event:
        text = f"{file} has changed, which {member} watches"
        return self._one(at, Kind.FILE_CHANGED, text, member=member, detail=file)

    def lost(self, member: str, where: str, lines: int, at: str) -> Event:
        """Lines of a member that were dropped, as nothing took them."""
        plural = "s" if lines != 1 else ""
        text = f"{lines} line{plural} of {member} did not get to {where}: dropped"
        return self._one(at, Kind.LINES_LOST, text, member=member, detail=where)

    def degraded(self, what: str, at: str) -> Event:
        return self._one(at, Kind.DEGRADED, what, detail=what)

    def recovered(self, what: str, at: str) -> Event:
        return self._one(at, Kind.RECOVERED, what, detail=what)

    def fault(self, what: str, at: str) -> Event:
        return self._one(at, Kind.FAULT, f"a mistake in pairvisor: {what}", detail=what)


def _request_of(cause: Cause | None) -> int:
    return cause.request if cause is not None and cause.reason is Reason.REQUEST else 0


def _signal_that_ended(about: About) -> int | None:
    """The request, where the member ended as that signal would have it; most are for more."""
    if about.signalled is None or about.exit is None:
        return None
    signal, request = about.signalled
    is_its = about.exit.signal == signal
    return request if is_its or (about.exit.code is not None and signal in TO_END) else None


def _because(cause: Cause | None) -> str:
    if cause is None:
        return ""
    return ", as asked" if cause.reason is Reason.REQUEST else f": {words.cause(cause)}"
