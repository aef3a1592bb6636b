"""What `up` says while the group lives: one line for each thing that a person would ask about."""

from time import monotonic

from pairvisor.core import effects as do
from pairvisor.core.events import Exit
from pairvisor.core.state import Cause, Goal, GroupPhase, GroupState, Phase, Reason
from pairvisor.manifest.group import Member, Role
from pairvisor.record import words
from pairvisor.runtime.logs.pump import Pump


class Reporter:
    """Turns the core's news into lines, in the order in which it comes."""

    def __init__(self, pump: Pump, *, is_terminal: bool) -> None:
        self._pump = pump
        self._is_terminal = is_terminal
        self._began = monotonic()
        self._round_began = self._began
        self._spawned: dict[str, float] = {}
        self._asked: set[str] = set()  # members that are ended because somebody asked
        self._phase = GroupPhase.IDLE  # at this piece of news; the state is further on

    def take_over(self, group: GroupState) -> None:
        """Its news have been told up to here."""
        self._phase = group.phase
        self._began = self._round_began = group.began
        self._spawned = dict.fromkeys(group.members, self._began)

    def tell(self, group: GroupState, news: do.News) -> None:
        match news:
            case do.Moved():
                self._moved(group, news)
            case do.GroupMoved():
                self._group_moved(group, news)
            case do.ReadinessChanged():
                self._readiness_changed(news)
            case do.LeftBehind():
                self._left_behind(group, news)
            case do.Overruled():
                self._stops(group, "is stopped", news.cause)
        if self._is_terminal:
            self._progress(group)

    def close(self, finish: do.Finish) -> None:
        """The last line: the result, its cause, and how long it took."""
        took = words.seconds(monotonic() - self._began)
        status = f" (exit code {finish.status})" if finish.status else ""
        self._say(f"{words.result(finish)}, after {took}{status}")

    def _moved(self, group: GroupState, news: do.Moved) -> None:
        name = news.member
        match news.phase:
            case Phase.STARTING:
                self._started(news)
            case Phase.EMPTYING if news.exit is not None:
                self._say(f"{name} {self._end(group.members[name].spec, news.exit)}", about=name)
            case Phase.PRE_STOP | Phase.STOPPING if self._phase is not GroupPhase.STOPPING:
                self._told(news)
            case Phase.KILLING:
                self._say(f"{name} did not end in time and is killed")
            case Phase.BACKOFF:
                pause = group.members[name].pause
                self._say(f"{name} restarts{f' in {words.seconds(pause)}' if pause else ''}")
            case Phase.UNKILLABLE:
                self._say(f"{name} can't be killed: {news.cause.detail if news.cause else ''}")
            case _:
                pass

    def _started(self, news: do.Moved) -> None:
        self._spawned[news.member] = monotonic()
        self._asked.discard(news.member)
        if news.cause:
            self._say(f"{words.cause(news.cause)}; it starts")

    def _told(self, news: do.Moved) -> None:
        """With a hook before its signal it is told twice; that is said once."""
        if not news.cause or news.member in self._asked:
            return
        if _is_asked(news.cause):
            self._asked.add(news.member)
        if news.phase is Phase.STOPPING or _is_asked(news.cause):
            self._say(f"{words.cause(news.cause)}; it is stopped")

    def _is_to_end(self, member: str) -> bool:
        return self._phase is GroupPhase.STOPPING or member in self._asked

    def _end(self, member: Member, how: Exit) -> str:
        if self._is_to_end(member.name) and words.is_normal_stop(member, how):
            return "stopped"
        if member.role is Role.INIT and how.code in member.success_codes:
            return "succeeded"
        return words.end(how)

    def _group_moved(self, group: GroupState, news: do.GroupMoved) -> None:
        self._phase = news.phase
        match news.phase:
            case GroupPhase.STARTING:
                self._round_began = monotonic()
                again = f" again (restart {group.round - 1})" if group.round > 1 else ""
                self._say(f"group {group.spec.name} starts{again}")
            case GroupPhase.RUNNING:
                took = words.seconds(monotonic() - self._round_began)
                self._say(f"group {group.spec.name} is ready, after {took}")
            case GroupPhase.STOPPING:
                what = "is restarted" if group.goal is Goal.RESTART else "is stopped"
                self._stops(group, what, news.cause)
            case GroupPhase.BACKOFF if news.delay:
                self._say(f"group {group.spec.name} starts again in {words.seconds(news.delay)}")
            case _:
                pass

    def _stops(self, group: GroupState, what: str, cause: Cause | None) -> None:
        why = f": {words.cause(cause)}" if cause else ""
        why = ", as asked" if _is_asked(cause) else why
        self._say(f"group {group.spec.name} {what}{why}")

    def _readiness_changed(self, news: do.ReadinessChanged) -> None:
        if news.ready:
            took = words.seconds(monotonic() - self._spawned[news.member])
            self._say(f"{news.member} is ready, after {took}")
        elif news.detail:
            self._say(f"{news.member} is not ready any more: {news.detail}")

    def _left_behind(self, group: GroupState, news: do.LeftBehind) -> None:
        member = group.members[news.member]
        if not self._is_to_end(news.member) or member.succeeded:
            plural = "es" if news.count > 1 else ""
            self._say(
                f"{news.member} left {news.count} process{plural} behind, killed: a member has to "
                "stay in the foreground (no daemon mode)"
            )

    def _progress(self, group: GroupState) -> None:
        waiting = group.unsettled if group.phase is GroupPhase.STARTING else ()
        done = len(group.members) - len(waiting)
        members = group.members.items()
        awaited = [n for n, m in members if n in waiting and m.phase is not Phase.WAITING]
        self._pump.progress(
            f"waiting for {', '.join(awaited)} ({done} of {len(group.members)} ready)"
            if awaited
            else ""
        )

    def _say(self, text: str, about: str = "") -> None:
        self._pump.say(text, about)


def _is_asked(cause: Cause | None) -> bool:
    return cause is not None and cause.reason is Reason.REQUEST
