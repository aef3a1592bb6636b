"""When what was asked for has happened, and when it will not: judged by events and status alone."""

from msgspec import Struct, field

from pairvisor.cli.statuses import is_ready
from pairvisor.record.model import Event, Kind, MemberStatus, Status

GROUP = ""  # among those that have started since; no member can be called that
VERBS = {"start", "stop", "restart"}
ENDS = {Kind.MEMBER_EXITED, Kind.MEMBER_FAILED, Kind.MEMBER_BACKOFF}


class Wish(Struct):
    """That members, or with none named the group, are started, stopped or restarted."""

    verb: str
    names: tuple[str, ...]
    since: int  # the id of the event that says that it was asked for
    fresh: set[str] = field(default_factory=set)  # who has started since

    def note(self, event: Event) -> None:
        if event.id > self.since and event.kind is Kind.MEMBER_STARTED and event.member:
            self.fresh.add(event.member)
        if event.id > self.since and event.kind is Kind.GROUP_STARTED:
            self.fresh.add(GROUP)

    def is_fulfilled(self, status: Status) -> bool:
        if not self.names:
            return is_ready(status) and (self.verb == "start" or GROUP in self.fresh)
        return all(self._is_done(member) for member in status.members if member.name in self.names)

    def _is_done(self, member: MemberStatus) -> bool:
        if self.verb == "stop":
            return member.pid is None and member.state not in ("starting", "backoff")
        is_there = member.ready or member.state == "succeeded"
        return is_there and (self.verb == "start" or member.name in self.fresh)

    def is_dashed(self, event: Event) -> bool:
        """Whether this event means that it won't happen, or not now."""
        if event.id <= self.since:
            return False
        if event.kind is Kind.GROUP_ENDED or self._is_overruled(event):
            return True
        if self.verb == "stop":
            return False
        if not self.names:
            # A restart's own stop comes before its start.
            is_new = self.verb == "start" or GROUP in self.fresh
            return is_new and event.kind in {Kind.GROUP_STOPPING, Kind.GROUP_BACKOFF}
        is_its_end = event.member in self.fresh & set(self.names) and event.kind in ENDS
        return is_its_end or event.kind is Kind.GROUP_STOPPING

    def _is_overruled(self, event: Event) -> bool:
        """Whether somebody has asked for the opposite."""
        verb, *names = event.detail.split() or [""]
        is_about_it = event.kind is Kind.REQUESTED and set(names) & set(self.names)
        return bool(is_about_it) and verb in VERBS and (verb == "stop") != (self.verb == "stop")

    def awaited(self, status: Status) -> str:
        """Who it is that one waits for, and what for."""
        what = "end" if self.verb == "stop" else "be ready"
        if not self.names:
            return f"waiting for {status.group} to {what}"
        late = [m.name for m in status.members if m.name in self.names and not self._is_done(m)]
        return f"waiting for {', '.join(late)} to {what}"
