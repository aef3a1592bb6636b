"""Why, in words, for each way in which a group or a member restarts or ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from pairvisor.core.events import (
    MemberRestartRequested,
    MemberStartRequested,
    MemberStopRequested,
    Reloaded,
    RestartRequested,
    StopRequested,
)
from pairvisor.manifest.group import (
    Fate,
    Gate,
    Hook,
    Member,
    Method,
    Probe,
    Purpose,
    Restart,
    Role,
)
from pairvisor.record.model import Caller, Event, Kind
from pairvisor.record.why import why
from tests.record.life import Life, group

BY = Caller(uid=1000, gid=1000, pid=42)
TLS = Member(name="tls", role=Role.SIDECAR)
APP = Member(name="app", role=Role.PRIMARY, after={"tls": Gate.READY})
PROBE = Probe(method=Method.TCP, target=("127.0.0.1:1",), failures=1)
SLOW = Restart(initial=8.0, jitter=0.0)


def asked(life: Life, what: str) -> int:
    return life.noted(life.journal.requested(what, BY, life.at))


# A member's end


def exit_code() -> Life:
    return Life(group()).pass_time(3).ends("tls", code=3).pass_time(1)


def killed() -> Life:
    return Life(group()).pass_time(3).ends("tls", signal=9).pass_time(1)


def out_of_memory() -> Life:
    return Life(group()).pass_time(3).ends("tls", signal=9, out_of_memory=True)


def killed_on_request() -> Life:
    life = Life(group()).pass_time(3)
    life.noted(life.journal.requested("send SIGKILL to tls", BY, life.at, "tls", "SIGKILL"))
    return life.ends("tls", signal=9)


def ended_long_after_another_signal() -> Life:
    life = Life(group()).pass_time(3)
    life.noted(life.journal.requested("send SIGHUP to tls", BY, life.at, "tls", "SIGHUP"))
    return life.pass_time(600).ends("tls", code=3)


def not_ready_in_time() -> Life:
    slow = replace(TLS, start_timeout=5.0, probes={Purpose.READY: PROBE})
    return Life(group(slow, APP)).pass_time(5)


def the_group_not_ready_in_time() -> Life:
    slow = replace(TLS, probes={Purpose.READY: PROBE})
    return Life(group(slow, APP, start_timeout=4.0)).pass_time(4)


def live_probe() -> Life:
    watched = replace(TLS, probes={Purpose.LIVE: PROBE})
    life = Life(group(watched, APP)).pass_time(7)
    return life.probed("tls", Purpose.LIVE, passed=False, detail="no answer within 1 s")


def hook() -> Life:
    hooked = replace(TLS, hooks={Hook.POST_START: ("register",)})
    life = Life(group(hooked, APP)).pass_time(2)
    return life.hooked("tls", Hook.POST_START, passed=False, detail="exited with 7")


def init_too_slow() -> Life:
    init = Member(name="migrate", role=Role.INIT, timeout=2.0, on_success=Fate.IGNORE)
    app = replace(APP, after={"migrate": Gate.SUCCEEDED}, on_failure=Fate.TEARDOWN)
    return Life(group(replace(init, on_failure=Fate.TEARDOWN), app)).pass_time(2)


def cannot_start() -> Life:
    return Life(group()).pass_time(1).ends("app", error='cannot run "x": not found')


def backs_off() -> Life:
    life = Life(group(restart=SLOW)).pass_time(3).ends("tls", code=3)
    return life.pass_time(2).ends("tls", code=4).pass_time(1)


def restarted_alone_too_often() -> Life:
    often = replace(TLS, on_failure=Fate.RESTART)
    life = Life(group(often, APP, restart=Restart(limit=2, within=60.0, initial=1.0, jitter=0.0)))
    life.pass_time(3).ends("tls", code=1).pass_time(3).ends("tls", code=1)
    return life.pass_time(3).ends("tls", code=1)


# What somebody asks for


def asked_to_restart() -> Life:
    life = Life(group()).pass_time(1)
    return life.happen(RestartRequested(asked(life, "restart")))


def asked_to_stop() -> Life:
    life = Life(group()).pass_time(1)
    return life.happen(StopRequested(request=asked(life, "stop")))


def stopped_by_a_signal() -> Life:
    life = Life(group()).pass_time(1)
    request = life.noted(life.journal.requested("stop (SIGTERM)", None, life.at))
    return life.happen(StopRequested(request=request))


def asked_to_stop_in_a_backoff() -> Life:
    life = backs_off()
    return life.happen(StopRequested(request=asked(life, "stop")))


def asked_to_stop_while_it_restarts() -> Life:
    life = Life(group(), obstinate="app").pass_time(1).ends("tls", signal=11).pass_time(1)
    return life.happen(StopRequested(request=asked(life, "stop")))


def restarted_by_a_reload() -> Life:
    life = Life(group()).pass_time(1)
    told = "the primary is web instead of app: all restart"
    request = life.noted(life.journal.reloaded(told, BY, life.at))
    return life.happen(Reloaded(group(TLS, replace(APP, name="web")), request))


def restarted_alone_by_a_reload() -> Life:
    life = Life(group()).pass_time(1)
    request = life.noted(life.journal.reloaded("tls restarts: command", BY, life.at))
    return life.happen(Reloaded(group(replace(TLS, command=("new",)), APP), request))


def a_watched_file() -> Life:
    life = Life(group()).pass_time(1)
    request = life.noted(life.journal.file_changed("tls", "tls.conf", life.at))
    return life.happen(MemberRestartRequested("tls", request))


def restarted_alone() -> Life:
    life = Life(group()).pass_time(2)
    return life.happen(MemberRestartRequested("tls", asked(life, "restart tls")))


def stopped_alone() -> Life:
    life = Life(group(), obstinate="tls").pass_time(2)
    return life.happen(MemberStopRequested("tls", asked(life, "stop tls"))).pass_time(60)


def started_again() -> Life:
    life = stopped_alone().pass_time(540)
    return life.happen(MemberStartRequested("tls", asked(life, "start tls")))


# Ends of the group


def success() -> Life:
    return Life(group(TLS, replace(APP, on_success=Fate.TEARDOWN))).pass_time(1).ends("app", code=0)


def nothing_left() -> Life:
    app = replace(APP, on_success=Fate.IGNORE, after={})
    return Life(group(app)).pass_time(9).ends("app", code=0)


def teardown() -> Life:
    torn = replace(APP, on_failure=Fate.TEARDOWN)
    return Life(group(TLS, torn)).pass_time(90).ends("app", code=7)


def gave_up() -> Life:
    life = Life(group(restart=Restart(limit=1, within=60.0))).pass_time(1)
    return life.ends("tls", code=1).pass_time(2).ends("tls", code=1)


def max_runtime() -> Life:
    return Life(group(max_runtime=10.0)).pass_time(10)


def primary_did_not_end() -> Life:
    life = Life(group(grace=5.0), obstinate="app").pass_time(1)
    return life.happen(StopRequested(request=asked(life, "stop"))).pass_time(8)


def unkillable() -> Life:
    life = Life(group(grace=5.0), immortal="tls").pass_time(1)
    return life.ends("app", code=1).pass_time(60)


def still_stopping() -> Life:
    life = Life(group(grace=50.0), obstinate="app").pass_time(1)
    return life.happen(StopRequested(request=asked(life, "stop"))).pass_time(2)


def nothing() -> Life:
    return Life(group()).pass_time(60)


def many_stopped() -> Life:
    names = [f"worker-{number}" for number in range(40)]
    crew = [replace(TLS, name=name) for name in names]
    return Life(group(TLS, *crew, replace(APP, after={}))).pass_time(1).ends("tls", code=1)


GOLDEN = dict(
    line.split(": ", 1) for line in (Path(__file__).parent / "why.txt").read_text().splitlines()
)


@pytest.mark.parametrize("case", GOLDEN)
def test_why_a_group_or_a_member_restarted_or_ended(case: str) -> None:
    name, _, member = case.partition(" ")
    live: Callable[[], Life] = globals()[name]
    assert why("shop", live().events, member or None).text == GOLDEN[case]


# A supervisor that was killed


def test_a_supervisor_that_was_killed_is_told_by_the_life_without_an_end() -> None:
    first = killed()
    text = "group shop ended because its supervisor was killed, some time after 2026-05-01 12:00:"
    dead = why("shop", first.events, runs=False)
    assert dead.text.startswith(text)
    second = Life(group(), first.journal.next, at=60.0)
    again = why("shop", first.events + second.events)
    assert again.text.startswith(text)
    assert again.text.endswith("It was started again at 2026-05-01 12:01:00 UTC.")
    second.ends("tls", code=3)
    assert "tls exited with 3" in why("shop", first.events + second.events).text


def test_a_life_whose_beginning_is_forgotten_was_cut_short_all_the_same() -> None:
    rest = killed().events[3:]
    assert "its supervisor was killed" in why("shop", rest, runs=False).text
    assert "supervisor was killed" not in why("shop", rest, runs=True).text


def test_a_member_that_ran_ended_with_its_supervisor() -> None:
    first = killed()
    text = "app ended because the supervisor was killed, some time after 2026-05-01 12:00:03 UTC"
    assert why("shop", first.events, "app", runs=False).text.startswith(text)
    down = stopped_alone()
    assert "uid 1000 asked to stop tls" in why("shop", down.events, "tls", runs=False).text
    second = Life(group(), first.journal.next, at=60.0).ends("app", code=3)
    assert "app exited with 3" in why("shop", first.events + second.events, "app").text


def test_an_end_is_not_taken_for_a_kill() -> None:
    over = asked_to_stop()
    assert "uid 1000 asked to stop" in why("shop", over.events, runs=False).text
    second = Life(group(), over.journal.next, at=60.0)
    assert "uid 1000 asked to stop" in why("shop", over.events + second.events).text


# What is not known any more


def test_of_what_the_log_has_forgotten_nothing_is_said() -> None:
    assert why("shop", []).text == "group shop has not been restarted and has not ended."
    late = [event for event in nothing().events if event.id > 3]
    assert why("shop", late, "tls").text == (
        "tls has not been restarted and has not ended since 2026-05-01 12:00:00 UTC; of what was "
        "before, no events are left."
    )


@pytest.mark.parametrize("name", sorted({case.partition(" ")[0] for case in GOLDEN}))
def test_it_says_something_of_any_part_of_the_events(name: str) -> None:
    events = globals()[name]().events
    for first in range(len(events)):
        for runs in (True, False):
            for member in (None, "tls", "app"):
                assert why("shop", events[first:], member, runs=runs).text.endswith(".")


def test_a_circle_of_causes_comes_to_an_end() -> None:
    circle = [
        Event(id=1, at="2026-05-01T12:00:00.000Z", kind=Kind.GROUP_STOPPING, text="a", cause=2),
        Event(id=2, at="2026-05-01T12:00:00.000Z", kind=Kind.MEMBER_EXITED, text="b", cause=1),
    ]
    assert why("shop", circle).text.endswith(".")
