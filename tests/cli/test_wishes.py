"""When what was asked for has happened, by events and status alone."""

import pytest
from msgspec.structs import replace

from pairvisor.cli.wishes import Wish
from pairvisor.record.model import Event, Kind, MemberStatus, Status
from tests.cli.examples import INIT, STATUS, TLS, WEB

ASKED = 10
STOPPED = replace(TLS, state="stopped", pid=None, ready=False)


def event(number: int, kind: Kind, member: str | None = None) -> Event:
    return Event(id=number, at="", kind=kind, text="", member=member)


def wish(verb: str, *names: str) -> Wish:
    return Wish(verb, names, ASKED)


def status(*members: MemberStatus) -> Status:
    return replace(STATUS, members=list(members))


@pytest.mark.parametrize(
    ("asked", "so"),
    [
        (wish("stop", "tls"), status(STOPPED, WEB)),
        (wish("stop", "tls"), status(replace(STOPPED, state="failed"), WEB)),
        (wish("start", "tls"), status(TLS, replace(WEB, ready=False))),
        (wish("start", "migrate"), status(INIT)),
        (wish("start"), STATUS),
    ],
)
def test_fulfilled_at_a_look(asked: Wish, so: Status) -> None:
    assert asked.is_fulfilled(so)


@pytest.mark.parametrize(
    ("asked", "so"),
    [
        (wish("stop", "tls"), status(TLS)),
        (wish("stop", "tls"), status(replace(STOPPED, state="backoff"))),
        (wish("stop", "tls", "web"), status(STOPPED, WEB)),
        (wish("start", "tls"), status(replace(TLS, ready=False))),
        (wish("start", "tls", "web"), status(TLS, replace(WEB, ready=False))),
        (wish("start"), replace(STATUS, ready=False)),
        (wish("start"), replace(STATUS, state="stopping")),
        (wish("restart", "tls"), STATUS),
        (wish("restart"), STATUS),
    ],
)
def test_not_yet(asked: Wish, so: Status) -> None:
    assert not asked.is_fulfilled(so)


def test_a_restart_needs_a_start_since() -> None:
    asked = wish("restart", "tls")
    asked.note(event(9, Kind.MEMBER_STARTED, "tls"))
    asked.note(event(11, Kind.MEMBER_STARTED, "web"))
    assert not asked.is_fulfilled(STATUS)
    asked.note(event(12, Kind.MEMBER_STARTED, "tls"))
    assert asked.is_fulfilled(STATUS)


def test_a_restart_of_the_group_needs_a_round_since() -> None:
    asked = wish("restart")
    asked.note(event(9, Kind.GROUP_STARTED))
    assert not asked.is_fulfilled(STATUS)
    asked.note(event(12, Kind.GROUP_STARTED))
    assert asked.is_fulfilled(STATUS)


@pytest.mark.parametrize("kind", [Kind.MEMBER_EXITED, Kind.MEMBER_FAILED, Kind.MEMBER_BACKOFF])
def test_an_end_counts_after_the_start_only(kind: Kind) -> None:
    asked = wish("restart", "tls")
    assert not asked.is_dashed(event(11, kind, "tls"))
    asked.note(event(12, Kind.MEMBER_STARTED, "tls"))
    assert asked.is_dashed(event(13, kind, "tls"))
    assert not asked.is_dashed(event(13, kind, "web"))


@pytest.mark.parametrize(
    ("asked", "kind", "is_dashed"),
    [
        (wish("start", "tls"), Kind.GROUP_STOPPING, True),
        (wish("start"), Kind.GROUP_STOPPING, True),
        (wish("restart"), Kind.GROUP_STOPPING, False),
        (wish("restart"), Kind.GROUP_ENDED, True),
        (wish("stop", "tls"), Kind.GROUP_STOPPING, False),
        (wish("stop", "tls"), Kind.GROUP_ENDED, True),
        (wish("start", "tls"), Kind.MEMBER_READY, False),
    ],
)
def test_what_the_group_does(asked: Wish, kind: Kind, is_dashed: bool) -> None:
    assert asked.is_dashed(event(11, kind)) is is_dashed
    assert not asked.is_dashed(event(9, kind))


@pytest.mark.parametrize(
    ("asked", "detail", "is_dashed"),
    [
        (wish("restart", "tls"), "stop tls", True),
        (wish("start", "tls", "web"), "stop db web", True),
        (wish("stop", "tls"), "start tls", True),
        (wish("stop", "tls"), "restart tls", True),
        (wish("start", "tls"), "restart tls", False),
        (wish("start", "tls"), "stop web", False),
        (wish("start", "tls"), "signal SIGHUP tls", False),
        (wish("restart"), "stop", False),
    ],
)
def test_what_others_ask_for(asked: Wish, detail: str, is_dashed: bool) -> None:
    request = Event(id=11, at="", kind=Kind.REQUESTED, text="", detail=detail)
    assert asked.is_dashed(request) is is_dashed


def test_who_is_awaited() -> None:
    late = status(TLS, replace(WEB, ready=False))
    assert wish("start", "tls", "web").awaited(late) == "waiting for web to be ready"
    assert wish("stop", "tls").awaited(late) == "waiting for tls to end"
    assert wish("restart").awaited(late) == "waiting for shop to be ready"
