"""The journal: whose number an event's cause is. Random lives of the core are held against it."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from msgspec.structs import replace

from pairvisor.core import effects as do
from pairvisor.core.events import (
    MemberRestartRequested,
    MemberStopRequested,
    RestartRequested,
    StopRequested,
)
from pairvisor.core.state import Cause, Phase, Reason
from pairvisor.manifest.group import Fate, Gate, Member, Restart, Role
from pairvisor.record.journal import Journal
from pairvisor.record.model import Caller, Event, Kind
from pairvisor.record.why import why
from tests.record.life import Life, group
from tests.sim.groups import SIZES, end, live, random_world
from tests.sim.world import Entry, World

BY = Caller(uid=1000, gid=1000, pid=42)
BEGINNING = datetime(2026, 5, 1, 12, tzinfo=UTC)
CAUSED = do.Moved | do.GroupMoved | do.Overruled
EVENTS_OF = {
    Reason.EXIT: Kind.MEMBER_EXITED,
    Reason.SIGNAL: Kind.MEMBER_EXITED,
    Reason.SPAWN: Kind.MEMBER_EXITED,
    Reason.NOT_STOPPED: Kind.MEMBER_KILLED,
    Reason.UNKILLABLE: Kind.MEMBER_UNKILLABLE,
}
OF_THE_GROUP = {Kind.GROUP_STOPPING, Kind.GROUP_OVERRULED, Kind.GROUP_ENDED}


class Scribe:
    """Tells a journal what happens in a simulated world, and judges what comes of it."""

    def __init__(self, world: World) -> None:
        self.events: list[Event] = []
        self._by_id: dict[int, Event] = {}
        self._world = world
        self._journal = Journal()
        self._requests: dict[int, int] = {0: 0}
        self._judge = world.watch
        world.watch = self._watch
        self._keep(self._journal.started(self._at))

    @property
    def _at(self) -> str:
        moment = BEGINNING + timedelta(seconds=self._world.now)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _keep(self, *events: Event) -> None:
        for event in events:
            assert event.id == len(self.events) + 1, "numbers grow by one"
            assert event.cause is None or event.cause in self._by_id, "a cause is known before"
            self.events.append(event)
            self._by_id[event.id] = event

    def _watch(self, entry: Entry) -> None:
        if self._judge is not None:
            self._judge(entry)
        number = getattr(entry.event, "request", 0)
        if number and self.events[-1].kind is not Kind.GROUP_ENDED:
            event = self._journal.requested(type(entry.event).__name__, BY, self._at)
            self._requests[number] = event.id
            self._keep(event)
        for effect in entry.effects:
            if isinstance(effect, do.Finish):
                cause = self._numbered(effect.cause)
                told = [self._journal.ended("g", replace(effect, cause=cause), self._at)]
            elif isinstance(effect, CAUSED):
                cause = self._numbered(effect.cause)
                told = self._tell(replace(effect, cause=cause))
            elif isinstance(effect, do.ReadinessChanged | do.LeftBehind):
                cause, told = None, self._tell(effect)
            else:
                continue
            self._keep(*told)
            if told and cause is not None:
                self._check(effect, cause)

    def _tell(self, news: do.News) -> list[Event]:
        return self._journal.tell(self._world.state, news, self._at)

    def _numbered(self, cause: Cause | None) -> Cause | None:
        """With the events' number for a request, as the runtime has it."""
        return replace(cause, request=self._requests[cause.request]) if cause else None

    def _check(self, effect: do.Effect, cause: Cause) -> None:
        """What the core has for the cause is in the chain of what was written."""
        event = self.events[-1]
        is_start = isinstance(effect, do.Moved) and effect.phase is Phase.STARTING
        if event.kind in OF_THE_GROUP or is_start:
            chain = self.chain(event)
            assert any(_is_meant(one, cause) for one in chain), f"{cause} is not in {chain}"

    def chain(self, event: Event) -> list[Event]:
        chain = [event]
        while (cause := chain[-1].cause) is not None:
            chain.append(self._by_id[cause])
        return chain


def _is_meant(event: Event, cause: Cause) -> bool:
    if cause.reason is Reason.REQUEST:
        return event.id == cause.request or not cause.request
    if not cause.member:
        return event.kind in OF_THE_GROUP and event.reason is cause.reason
    kind = EVENTS_OF.get(cause.reason, Kind.MEMBER_FAILED)
    is_same = kind is not Kind.MEMBER_FAILED or event.reason is cause.reason
    return event.member == cause.member and event.kind is kind and is_same


@pytest.mark.parametrize("hundred", range(3))
def test_in_random_lives_every_stop_end_and_start_follows_from_what_the_core_says(
    hundred: int,
) -> None:
    for seed in range(hundred * 100, hundred * 100 + 100):
        random = Random(seed)
        world = random_world(random, random.choice(SIZES))
        scribe = Scribe(world)
        live(random, world, 200)
        if world.finish is None:
            end(random, world)
        assert scribe.events[-1].kind is Kind.GROUP_ENDED
        for member in (None, *world.state.members):
            assert why("g", scribe.events, member).text.endswith(".")


def kinds_and_causes(life: Life, since: int) -> list[tuple[str, str | None, int | None]]:
    return [
        (event.kind.value, event.member, event.cause) for event in life.events if event.id > since
    ]


def test_the_events_of_a_restart_and_their_causes() -> None:
    life = Life(group()).pass_time(3)
    last = life.events[-1].id
    assert last == 7
    life.ends("tls", code=3)
    assert kinds_and_causes(life, last) == [
        ("member-exited", "tls", None),  # 8
        ("group-stopping", None, 8),  # 9
        ("member-stopping", "app", 9),  # 10
        ("member-exited", "app", 10),  # 11
        ("group-backoff", None, 9),  # 12
        ("group-started", None, 9),  # 13
        ("member-started", "tls", 13),
        ("member-ready", "tls", None),
        ("member-started", "app", 13),
        ("member-ready", "app", None),
        ("group-ready", None, 13),
    ]


def test_a_run_that_was_asked_for_follows_from_its_end_and_that_from_the_request() -> None:
    life = Life(group()).pass_time(3)
    request = life.noted(life.journal.requested("restart tls", BY, life.at))
    life.happen(MemberRestartRequested("tls", request))
    assert kinds_and_causes(life, request)[:3] == [
        ("member-stopping", "tls", request),
        ("member-exited", "tls", request + 1),
        ("member-started", "tls", request + 2),
    ]


def test_a_run_that_was_asked_for_later_follows_from_that_request() -> None:
    life = Life(group()).pass_time(3)
    life.happen(MemberStopRequested("tls", life.noted(life.journal.requested("a", BY, life.at))))
    request = life.noted(life.journal.requested("restart tls", BY, life.at))
    life.happen(MemberRestartRequested("tls", request))
    assert kinds_and_causes(life, request)[0] == ("member-started", "tls", request)


def test_a_member_that_restarts_alone_follows_from_its_own_end() -> None:
    often = Member(name="tls", role=Role.SIDECAR, on_failure=Fate.RESTART)
    life = Life(group(often, Member(name="app", role=Role.PRIMARY))).pass_time(3)
    last = life.events[-1].id
    life.ends("tls", code=3)
    assert kinds_and_causes(life, last)[:3] == [
        ("member-exited", "tls", None),
        ("member-backoff", "tls", last + 1),
        ("member-started", "tls", last + 2),
    ]


@pytest.mark.parametrize(
    ("sent", "exit_", "is_its"),
    [
        ("SIGKILL", {"signal": 9}, True),
        ("SIGHUP", {"signal": 1}, True),
        ("SIGTERM", {"code": 0}, True),
        ("SIGHUP", {"code": 0}, False),
        ("SIGTERM", {"signal": 11}, False),
    ],
)
def test_an_end_follows_from_a_signal_that_asks_for_it(
    sent: str, exit_: dict[str, int], is_its: bool
) -> None:
    life = Life(group()).pass_time(3)
    request = life.noted(life.journal.requested(f"send {sent} to tls", BY, life.at, "tls", sent))
    life.ends("tls", **exit_)
    assert kinds_and_causes(life, request)[0] == (
        "member-exited",
        "tls",
        request if is_its else None,
    )


def test_what_a_status_is_told_of_a_member() -> None:
    life = Life(group()).pass_time(3).ends("tls", signal=9, out_of_memory=True).pass_time(2)
    about = life.journal.about("tls")
    assert about.exit is not None
    assert (about.exit.signal, about.exit.out_of_memory) == ("SIGKILL", True)
    assert about.cause is not None
    assert about.cause.text == "tls was killed by SIGKILL (out of memory)"
    assert (about.started_at, about.ended_at) == ("2026-05-01T12:00:03.000Z",) * 2
    assert life.journal.group.ready_at == "2026-05-01T12:00:03.000Z"
    app = life.journal.about("app")
    assert app.exit is not None
    assert (app.exit.signal, app.cause) == ("SIGTERM", None)


def test_who_asked_and_what_was_noted_besides() -> None:
    journal = Journal(7)
    at = "2026-05-01T12:00:00.000Z"
    told = [
        journal.started(at),
        journal.started(at, lost=2),
        journal.requested("stop", BY, at),
        journal.requested("stop (SIGTERM)", None, at),
        journal.refused(BY, at),
        journal.reload_failed("line 3", BY, at),
        journal.file_changed("tls", "tls.conf", at),
        journal.degraded("no room", at),
        journal.recovered("events are kept again", at),
        journal.fault("KeyError", at),
    ]
    assert [event.id for event in told] == list(range(7, 17))
    assert [event.text for event in told] == [
        "the supervisor starts",
        "the supervisor starts (2 lines of the earlier events can't be read)",
        "uid 1000 asked to stop",
        "somebody asked to stop (SIGTERM)",
        "uid 1000 (process 42) was refused on the control socket",
        "not reloaded, all runs on: line 3",
        "tls.conf has changed, which tls watches",
        "no room",
        "events are kept again",
        "a mistake in pairvisor: KeyError",
    ]


def test_the_end_of_a_stop_that_had_nothing_to_do_names_who_asked() -> None:
    life = Life(group()).pass_time(3).ends("tls", code=3).pass_time(2).ends("tls", code=3)
    request = life.noted(life.journal.requested("stop", BY, life.at))
    life.happen(StopRequested(request=request))
    assert kinds_and_causes(life, request) == [("group-ended", None, request)]


def test_a_pause_that_was_cut_short_ends_by_that_request() -> None:
    life = Life(group(restart=Restart(initial=8.0))).pass_time(3)
    life.ends("tls", code=3).pass_time(2).ends("tls", code=3)
    request = life.noted(life.journal.requested("start", BY, life.at))
    life.happen(RestartRequested(request))
    assert kinds_and_causes(life, request)[0] == ("group-started", None, request)


def test_what_outlives_a_main_process_and_its_sigkill_follows_from_that_end() -> None:
    life = Life(group(), immortal="tls").pass_time(3)
    last = life.events[-1].id
    life.ends("tls", code=3).pass_time(20)
    exited, unkillable = (
        next(event for event in life.events if event.kind is kind and event.id > last)
        for kind in (Kind.MEMBER_EXITED, Kind.MEMBER_UNKILLABLE)
    )
    assert unkillable.cause == exited.id


def test_what_a_timeline_needs_is_kept_however_much_happens_since() -> None:
    app = Member(name="app", role=Role.PRIMARY, after={"tls": Gate.READY})
    often = Member(name="tls", role=Role.SIDECAR, on_failure=Fate.RESTART)
    life = Life(group(often, app)).pass_time(3)
    opening = list(life.journal.opening)
    assert [event.kind for event in opening] == [
        Kind.GROUP_STARTED,
        Kind.MEMBER_STARTED,
        Kind.MEMBER_READY,
        Kind.MEMBER_STARTED,
        Kind.MEMBER_READY,
        Kind.GROUP_READY,
    ]
    for _ in range(5):
        life.ends("tls", code=1).pass_time(100)
    assert life.journal.opening[:6] == opening
    assert [event.kind for event in life.journal.opening[6:]] == [Kind.MEMBER_EXITED]
    life.ends("app", code=1).pass_time(100)
    assert [event.kind for event in life.journal.opening] == [event.kind for event in opening]
