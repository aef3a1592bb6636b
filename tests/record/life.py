"""A group's life under a clock of the test's own, told to a journal.

Programs do what is usual: they start, they end by the signal that they are sent, and leave nothing.
"""

from collections import deque
from datetime import UTC, datetime, timedelta

from pairvisor.core import effects as do
from pairvisor.core.events import (
    Emptied,
    Event,
    Exit,
    Exited,
    HookEnded,
    ProbeEnded,
    Spawned,
    StartRequested,
    TimePassed,
)
from pairvisor.core.state import new, next_deadline
from pairvisor.core.step import step
from pairvisor.manifest.group import Gate, Group, Hook, Member, Places, Purpose, Role
from pairvisor.record import model
from pairvisor.record.journal import Journal

BEGINNING = datetime(2026, 5, 1, 12, tzinfo=UTC)


def group(*members: Member, **more: object) -> Group:
    """Named shop; of a primary and a sidecar tls that it waits for, unless others are given."""
    tls = Member(name="tls", role=Role.SIDECAR)
    app = Member(name="app", role=Role.PRIMARY, after={"tls": Gate.READY})
    return Group(
        name="shop",
        places=Places(run="/run/shop", state="/state/shop"),
        members={member.name: member for member in members or (tls, app)},
        **more,  # type: ignore[arg-type]
    )


class Life:
    """An `obstinate` member takes no notice of its stop signal, an `immortal` one of any."""

    def __init__(
        self,
        spec: Group,
        first: int = 1,
        *,
        obstinate: str = "",
        immortal: str = "",
        at: float = 0.0,
    ) -> None:
        self.state = new(spec)
        self.journal = Journal(first)
        self.events: list[model.Event] = []
        self.finish: do.Finish | None = None
        self._obstinate = obstinate
        self._immortal = immortal
        self._now = at
        self.events.append(self.journal.started(self.at))
        self.happen(StartRequested())

    @property
    def at(self) -> str:
        moment = BEGINNING + timedelta(seconds=self._now)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def pass_time(self, seconds: float) -> "Life":
        """With all that is due meanwhile."""
        end = self._now + seconds
        while (deadline := next_deadline(self.state)) <= end:
            self._now = deadline
            self.happen(TimePassed())
        self._now = end
        return self

    def happen(self, event: Event) -> "Life":
        todo = deque([event])
        while todo:
            for effect in step(self.state, todo.popleft(), self._now):
                todo.extend(self._carry_out(effect))
        return self

    def ends(self, member: str, **how: object) -> "Life":
        """Its main process does: code=, signal= or error=."""
        run = self.state.members[member].run
        return self.happen(Exited(member, run, Exit(**how)))  # type: ignore[arg-type]

    def probed(self, member: str, purpose: Purpose, *, passed: bool, detail: str = "") -> "Life":
        run = self.state.members[member].run
        return self.happen(ProbeEnded(member, run, purpose, passed, detail))

    def hooked(self, member: str, hook: Hook, *, passed: bool, detail: str = "") -> "Life":
        run = self.state.members[member].run
        return self.happen(HookEnded(member, run, hook, passed, detail))

    def noted(self, *events: model.Event) -> int:
        """Keep what doesn't come from the core; the last one's number."""
        self.events += events
        return events[-1].id

    def _carry_out(self, effect: do.Effect) -> list[Event]:
        match effect:
            case do.Spawn():
                return [Spawned(effect.member, effect.run)]
            case do.Signal() if effect.member not in (self._obstinate, self._immortal):
                return [Exited(effect.member, effect.run, Exit(signal=effect.signal))]
            case do.Kill() if effect.member != self._immortal:
                return self._killed(effect)
            case do.Finish():
                self.finish = effect
                self.events.append(self.journal.ended("shop", effect, self.at))
            case do.Moved() | do.ReadinessChanged() | do.LeftBehind() | do.GroupMoved():
                self.events += self.journal.tell(self.state, effect, self.at)
            case do.Overruled():
                self.events += self.journal.tell(self.state, effect, self.at)
            case _:
                pass
        return []

    def _killed(self, effect: do.Kill) -> list[Event]:
        end = Exited(effect.member, effect.run, Exit(signal=9))
        is_obstinate = effect.member == self._obstinate
        return [*([end] if is_obstinate else []), Emptied(effect.member, effect.run)]
