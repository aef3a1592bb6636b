"""What users see of phases, exits and causes."""

from typing import get_args

import pytest

from pairvisor.core import effects as do
from pairvisor.core.events import Exit
from pairvisor.core.state import Cause, GroupPhase, MemberState, Phase, Reason, Sequel, new
from pairvisor.manifest.group import Member, Role
from pairvisor.record import model, states
from tests.record.life import group

SPEC = Member(name="tls", role=Role.SIDECAR)
FAILED = Cause(Reason.EXIT, "tls", Exit(code=3))
ASKED = Cause(Reason.REQUEST, "tls", detail="to stop", request=7)


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.ENDED}))
def test_every_phase_of_a_member_has_a_state(phase: Phase) -> None:
    seen = states.member(MemberState(spec=SPEC, phase=phase), was_told=False)
    assert seen in get_args(model.MemberState)
    assert (seen == "failed") is (phase is Phase.UNKILLABLE)


@pytest.mark.parametrize(
    ("end", "cause", "was_told", "seen"),
    [
        (Exit(code=0), None, False, "succeeded"),
        (Exit(code=3), FAILED, False, "failed"),
        (Exit(signal=9), Cause(Reason.SIGNAL, "tls"), False, "failed"),
        (Exit(error="not found"), Cause(Reason.SPAWN, "tls"), False, "failed"),
        (Exit(code=0), Cause(Reason.LIVE, "tls"), True, "failed"),
        (Exit(signal=15), None, True, "stopped"),
        (Exit(code=0), None, True, "stopped"),
        (Exit(code=3), None, True, "stopped"),
        (Exit(signal=15), ASKED, True, "stopped"),
        (None, None, False, "stopped"),
    ],
)
def test_an_end_is_a_success_a_failure_or_a_stop(
    end: Exit | None, cause: Cause | None, was_told: bool, seen: str
) -> None:
    member = MemberState(spec=SPEC, phase=Phase.ENDED, exit=end, cause=cause)
    assert states.member(member, was_told=was_told) == seen


def test_one_that_is_held_before_its_start_is_stopped() -> None:
    member = MemberState(spec=SPEC, phase=Phase.WAITING)
    assert states.member(member, was_told=False) == "waiting"
    member.sequel = Sequel.HOLD
    assert states.member(member, was_told=False) == "stopped"


@pytest.mark.parametrize(
    ("phase", "seen"),
    [
        (GroupPhase.IDLE, "starting"),
        (GroupPhase.STARTING, "starting"),
        (GroupPhase.RUNNING, "running"),
        (GroupPhase.STOPPING, "stopping"),
        (GroupPhase.BACKOFF, "backoff"),
    ],
)
def test_every_phase_of_a_group_has_a_state(phase: GroupPhase, seen: str) -> None:
    state = new(group())
    state.phase = phase
    assert states.group(state, None) == seen


@pytest.mark.parametrize("outcome", do.Outcome)
def test_a_group_that_is_over_is_what_came_of_it(outcome: do.Outcome) -> None:
    state = new(group())
    state.phase = GroupPhase.OVER
    assert states.group(state, do.Finish(outcome, 0)) == outcome.value
    assert outcome.value in get_args(model.GroupState)


def test_documents_of_exits_and_causes() -> None:
    killed = Exit(signal=9, out_of_memory=True)
    assert states.exit_document(killed) == model.Exit(signal="SIGKILL", out_of_memory=True)
    assert states.exit_document(Exit(code=3)) == model.Exit(code=3)
    at = "2026-05-01T12:00:00.000Z"
    cause = states.cause_document(Cause(Reason.SIGNAL, "tls", killed, "gave up", 5.0), at)
    assert cause == model.Cause(
        reason=Reason.SIGNAL,
        text="tls was killed by SIGKILL (out of memory) (gave up)",
        member="tls",
        exit=model.Exit(signal="SIGKILL", out_of_memory=True),
        detail="gave up",
        at=at,
    )
    own = states.cause_document(Cause(Reason.MAX_RUNTIME, "", None, "ran for 5 s"), at)
    assert (own.member, own.text) == (None, "the group ran for 5 s, its max_runtime")
