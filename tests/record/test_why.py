"""Why, in words, for each way in which a group or a member restarts or ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from pairvisor.core.events import (
    MemberRestartRequested,
    RestartRequested,
    StopRequested,
)
from pairvisor.manifest.group import Fate, Gate, Member, Method, Probe, Purpose, Restart, Role
from pairvisor.record.model import Caller, Event, Kind
from pairvisor.record.why import why
from tests.record.life import Life, group

BY = Caller(uid=1000, gid=1000, pid=42)
TLS = Member(name="tls", role=Role.SIDECAR)
APP = Member(name="app", role=Role.PRIMARY, after={"tls": Gate.READY})
PROBE = Probe(method=Method.TCP, target=("127.0.0.1:1",), failures=1)


def asked(life: Life, what: str) -> int:
    event = life.journal.requested(what, BY, life.at)
    life.events.append(event)
    return event.id


def exit_code() -> Life:
    return Life(group()).pass_time(3).ends("tls", code=3).pass_time(1)


def killed() -> Life:
    return Life(group()).pass_time(3).ends("tls", signal=9).pass_time(1)


def out_of_memory() -> Life:
    return Life(group()).pass_time(3).ends("tls", signal=9, out_of_memory=True)


def killed_on_request() -> Life:
    life = Life(group()).pass_time(3)
    request = life.journal.requested("send SIGKILL to tls", BY, life.at, "tls", signals=True)
    life.events.append(request)
    return life.ends("tls", signal=9)


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


def init_too_slow() -> Life:
    init = Member(name="migrate", role=Role.INIT, timeout=2.0, on_success=Fate.IGNORE)
    app = replace(APP, after={"migrate": Gate.SUCCEEDED}, on_failure=Fate.TEARDOWN)
    return Life(group(replace(init, on_failure=Fate.TEARDOWN), app)).pass_time(2)


def cannot_start() -> Life:
    return Life(group()).pass_time(1).ends("app", error='cannot run "x": not found')


def asked_to_restart() -> Life:
    life = Life(group()).pass_time(1)
    return life.happen(RestartRequested(asked(life, "restart")))


def asked_to_stop() -> Life:
    life = Life(group()).pass_time(1)
    return life.happen(StopRequested(request=asked(life, "stop")))


def success() -> Life:
    return Life(group(TLS, replace(APP, on_success=Fate.TEARDOWN))).pass_time(1).ends("app", code=0)


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


def nothing() -> Life:
    return Life(group()).pass_time(60)


GOLDEN = dict(
    line.split(": ", 1) for line in (Path(__file__).parent / "why.txt").read_text().splitlines()
)


@pytest.mark.parametrize("name", GOLDEN)
def test_why_a_group_restarted_or_ended(name: str) -> None:
    live: Callable[[], Life] = globals()[name]
    assert why("shop", live().events).text == GOLDEN[name]


def test_why_a_member_did() -> None:
    events = killed_on_request().events
    assert why("shop", events, "tls").text == (
        "tls was killed by SIGKILL, 3 s after its start, because uid 1000 asked to send SIGKILL to "
        "tls. It was ready again 0 s later."
    )
    assert why("shop", events, "app").text == (
        "app was killed by SIGTERM, 3 s after its start, because tls was killed by SIGKILL. It was "
        "ready again 0 s later."
    )


def test_why_a_member_restarted_alone() -> None:
    life = Life(group()).pass_time(2)
    life.happen(MemberRestartRequested("tls", asked(life, "restart tls")))
    assert why("shop", life.events, "tls").text == (
        "tls was killed by SIGTERM, 2 s after its start, because uid 1000 asked to restart tls. It "
        "was ready again 0 s later."
    )
    assert why("shop", life.events).text == "group shop has not been restarted and has not ended."


def test_a_supervisor_that_was_killed_is_told_by_the_life_without_an_end() -> None:
    first = killed()
    text = "group shop ended because its supervisor was killed, some time after"
    dead = why("shop", first.events, runs=False)
    assert dead.text.startswith(text)
    second = Life(group(), first.journal.next, at=60.0)
    again = why("shop", first.events + second.events)
    assert again.text.startswith(text)
    assert again.text.endswith("It was started again at 2026-05-01 12:01:00 UTC.")
    second.ends("tls", code=3)
    assert "tls exited with 3" in why("shop", first.events + second.events).text


def test_causes_reach_over_lives_and_numbers_only_grow() -> None:
    life = exit_code()
    numbers = [event.id for event in life.events]
    assert numbers == sorted(set(numbers))
    by_id = {event.id: event for event in life.events}
    for event in life.events[1:]:
        assert event.cause is None or by_id[event.cause].id < event.id
    ready = [event for event in life.events if event.kind is Kind.GROUP_READY][-1]
    chain: list[Event] = [ready]
    while chain[-1].cause is not None:
        chain.append(by_id[chain[-1].cause])
    assert [event.kind for event in chain] == [
        Kind.GROUP_READY,
        Kind.GROUP_STARTED,
        Kind.GROUP_STOPPING,
        Kind.MEMBER_EXITED,
    ]
