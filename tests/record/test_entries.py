"""Events as the journal has them."""

import uuid

import pytest

from pairvisor.record.entries import NAMESPACE, fields, message_id, priority
from pairvisor.record.model import Event, Exit, Kind
from tests.record.message_ids import PAGE, page


def event(kind: Kind, **more: object) -> Event:
    return Event(id=7, at="", kind=kind, text="it happened", **more)  # type: ignore[arg-type]


def test_the_page_has_all_message_ids() -> None:
    """`./dev docs` makes it anew."""
    assert PAGE.read_text() == page()


def test_a_message_id_stands_for_a_kind() -> None:
    assert len({message_id(kind) for kind in Kind}) == len(Kind)
    for kind in Kind:
        assert message_id(kind) == uuid.uuid5(uuid.UUID(bytes=NAMESPACE), kind).hex


def test_what_an_event_says_becomes_fields() -> None:
    found = fields(event(Kind.MEMBER_EXITED, member="tls", run=2, exit=Exit(signal="SIGKILL")))
    assert found["MESSAGE"] == "it happened"
    assert (found["MEMBER"], found["RUN"], found["EVENT_ID"]) == ("tls", 2, 7)
    assert (found["EXIT_CODE"], found["EXIT_STATUS"]) == ("killed", "SIGKILL")
    assert "DELAY" not in found
    found = fields(event(Kind.MEMBER_EXITED, exit=Exit(code=0)))
    assert (found["EXIT_CODE"], found["EXIT_STATUS"]) == ("exited", 0)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (event(Kind.GROUP_ENDED, goal="failed"), 3),
        (event(Kind.GROUP_ENDED, goal="stopped"), 5),
        (event(Kind.GROUP_STOPPING, goal="restart"), 4),
        (event(Kind.GROUP_STOPPING, goal="stop"), 5),
        (event(Kind.MEMBER_EXITED, exit=Exit(error="cannot run")), 3),
        (event(Kind.MEMBER_EXITED, exit=Exit(code=0)), 6),
        (event(Kind.FAULT), 3),
        (event(Kind.DEGRADED), 4),
        (event(Kind.MEMBER_READY), 6),
    ],
)
def test_bad_news_has_a_priority_that_says_so(told: Event, expected: int) -> None:
    assert priority(told) == expected
