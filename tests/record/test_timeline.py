"""Who waited for whom, of the last start."""

from pairvisor.manifest.group import Fate, Gate, Group, Member, Method, Probe, Purpose, Role
from pairvisor.record.model import Bar
from pairvisor.record.timeline import timeline
from tests.record.life import Life, group

PROBED = {Purpose.READY: Probe(method=Method.TCP, target=("127.0.0.1:1",))}


def shop() -> Group:
    """An init, two sidecars that wait for it, one of them not for long, and the primary."""
    return group(
        Member(name="migrate", role=Role.INIT, on_success=Fate.IGNORE),
        Member(
            name="tls", role=Role.SIDECAR, after={"migrate": Gate.SUCCEEDED}, probes=dict(PROBED)
        ),
        Member(name="log", role=Role.SIDECAR, after={"migrate": Gate.STARTED}, probes=dict(PROBED)),
        Member(
            name="app",
            role=Role.PRIMARY,
            after={"tls": Gate.READY, "log": Gate.READY},
            probes=dict(PROBED),
        ),
    )


def ready(life: Life, member: str, after: float) -> Life:
    return life.pass_time(after).probed(member, Purpose.READY, passed=True)


def started(migrate: float = 1.0, log: float = 0.5, tls: float = 2.0) -> Life:
    life = Life(shop())
    ready(life, "log", log)
    life.pass_time(migrate - log).ends("migrate", code=0)
    ready(life, "tls", tls)
    return ready(life, "app", 0.25)


def bars(life: Life) -> dict[str, Bar]:
    return {bar.member: bar for bar in timeline(life.events, life.state.spec).bars}


def test_each_members_times_are_seconds_since_the_rounds_start() -> None:
    told = timeline(started().events, shop())
    assert (told.group, told.round, told.at, told.took) == (
        "shop",
        1,
        "2026-05-01T12:00:00.000Z",
        3.25,
    )
    assert [(b.member, b.waited_for, b.spawned, b.ready, b.ended) for b in told.bars] == [
        ("migrate", [], 0.0, None, 1.0),
        ("log", ["migrate"], 0.0, 0.5, None),
        ("tls", ["migrate"], 1.0, 3.0, None),
        ("app", ["tls", "log"], 3.0, 3.25, None),
    ]


def test_the_critical_path_goes_back_through_the_gate_that_opened_last() -> None:
    critical = [name for name, bar in bars(started()).items() if bar.is_critical]
    assert critical == ["migrate", "tls", "app"]


def test_another_gate_may_be_the_last() -> None:
    life = Life(shop())
    life.pass_time(1).ends("migrate", code=0)
    ready(life, "tls", 1)
    ready(life, "log", 7)
    ready(life, "app", 1)
    found = bars(life)
    assert [name for name, bar in found.items() if bar.is_critical] == ["migrate", "log", "app"]


def test_of_a_group_that_is_not_ready_what_is_known() -> None:
    life = Life(shop())
    ready(life, "log", 0.5)
    told = timeline(life.events, shop())
    assert told.took is None
    found = bars(life)
    assert (found["app"].spawned, found["app"].ready) == (None, None)
    assert not found["app"].is_critical
    assert list(found)[-1] in ("tls", "app"), "who has not started comes last"


def test_only_the_last_round_counts() -> None:
    life = started().pass_time(100).ends("tls", code=1)
    told = timeline(life.events, shop())
    assert (told.round, told.at, told.took) == (2, "2026-05-01T12:01:43.250Z", None)
    assert {bar.member: bar.ready for bar in told.bars} == dict.fromkeys(shop().members)


def test_the_first_run_in_a_round_is_the_one_that_counts() -> None:
    often = Member(name="tls", role=Role.SIDECAR, on_failure=Fate.RESTART)
    app = Member(name="app", role=Role.PRIMARY, after={"tls": Gate.READY})
    life = Life(group(often, app)).pass_time(5)
    life.ends("tls", code=1).pass_time(60)
    tls = bars(life)["tls"]
    assert (tls.spawned, tls.ready, tls.ended) == (0.0, 0.0, 5.0)


def test_what_the_journal_keeps_for_it_is_enough() -> None:
    life = started()
    for _ in range(3):
        life.ends("log", code=1).pass_time(30)
    assert timeline(life.journal.opening, shop()) == timeline(life.events, shop())


def test_of_no_start_nothing_is_told() -> None:
    told = timeline([], shop())
    assert (told.round, told.took, told.bars) == (0, None, [])
