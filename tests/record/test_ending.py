"""How a group ended, where its events or its result are missing."""

from msgspec.structs import replace

from pairvisor.core.events import StopRequested
from pairvisor.core.state import Reason
from pairvisor.record.ending import status_of, with_end
from pairvisor.record.model import Cause, Kind
from pairvisor.record.why import why
from tests.documents import status
from tests.record.life import Life, group

AT = "2026-05-01T12:00:09.000Z"
FAILED = status(
    state="failed",
    ready=False,
    ended_at=AT,
    exit_status=3,
    degraded=["events are not kept in /state/shop: No space left on device"],
    cause=Cause(reason=Reason.EXIT, text="tls exited with 3", member="tls", at=AT),
)


def test_an_end_that_only_the_result_knows_of() -> None:
    cut = Life(group()).pass_time(3).events
    assert "supervisor was killed" in why("shop", cut, runs=False).text
    known = with_end(cut, FAILED)
    assert known[:-1] == cut
    assert (known[-1].id, known[-1].kind) == (cut[-1].id + 1, Kind.GROUP_ENDED)
    assert why("shop", known, runs=False).text == "group shop failed: tls exited with 3."


def test_an_end_that_is_known_or_is_an_earlier_lifes_is_not_added() -> None:
    life = Life(group()).pass_time(3)
    assert with_end(life.events, None) == life.events
    assert with_end(life.events, status_of("shop", life.events, "")) == life.events
    assert with_end(life.events, replace(FAILED, ended_at=None)) == life.events
    assert (
        with_end(life.events, replace(FAILED, ended_at="2026-04-30T00:00:00.000Z")) == life.events
    )
    over = life.happen(StopRequested()).events
    assert with_end(over, FAILED) == over
    assert [event.kind for event in with_end([], FAILED)] == [Kind.GROUP_ENDED]


def test_a_result_that_only_the_events_know_of() -> None:
    life = Life(group()).pass_time(3)
    killed = status_of("shop", life.events, "/srv/shop/pairvisor.toml", "damaged")
    assert (killed.state, killed.started_at) == ("killed", "2026-05-01T12:00:00.000Z")
    assert (killed.ended_at, killed.degraded) == ("2026-05-01T12:00:00.000Z", ["damaged"])
    stopped = status_of("shop", life.happen(StopRequested()).events, "")
    assert (stopped.state, stopped.exit_status, stopped.degraded) == ("stopped", 0, [])
    assert stopped.cause is not None
    assert stopped.cause.text == "the group was asked to stop"
    over = status_of("shop", with_end(Life(group()).events, FAILED), "")
    assert over.cause is not None
    assert (over.state, over.cause.text) == ("failed", "tls exited with 3")
    assert status_of("shop", [], "").state == "killed"
