"""What users see of the core's phases, exits and causes: fewer words, and documents."""

from pairvisor.core import effects as do
from pairvisor.core.events import Exit
from pairvisor.core.state import Cause, GroupPhase, GroupState, MemberState, Phase, Reason
from pairvisor.manifest import signals
from pairvisor.record import model, words

GROUP: dict[GroupPhase, model.GroupState] = {
    GroupPhase.IDLE: "starting",
    GroupPhase.STARTING: "starting",
    GroupPhase.RUNNING: "running",
    GroupPhase.STOPPING: "stopping",
    GroupPhase.BACKOFF: "backoff",
}
OUTCOME: dict[do.Outcome, model.GroupState] = {
    do.Outcome.SUCCEEDED: "succeeded",
    do.Outcome.FAILED: "failed",
    do.Outcome.STOPPED: "stopped",
}
MEMBER: dict[Phase, model.MemberState] = {
    Phase.WAITING: "waiting",
    Phase.STARTING: "starting",
    Phase.RUNNING: "running",
    Phase.PRE_STOP: "stopping",
    Phase.DRAINING: "stopping",
    Phase.STOPPING: "stopping",
    Phase.KILLING: "stopping",
    Phase.EMPTYING: "stopping",
    Phase.POST_STOP: "stopping",
    Phase.BACKOFF: "backoff",
    Phase.UNKILLABLE: "failed",
}


def group(state: GroupState, finish: do.Finish | None) -> model.GroupState:
    """The group's; `finish` once it is over."""
    return OUTCOME[finish.outcome] if finish is not None else GROUP.get(state.phase, "stopping")


def member(state: MemberState, *, was_told: bool) -> model.MemberState:
    """A member's. One that has ended succeeded, failed, or did what it was told to do."""
    if state.held and state.phase is Phase.WAITING:
        return "stopped"
    if state.phase is not Phase.ENDED:
        return MEMBER[state.phase]
    if state.cause is not None and state.cause.reason is not Reason.REQUEST:
        return "failed"
    return "stopped" if was_told or not state.succeeded else "succeeded"


def exit_document(end: Exit) -> model.Exit:
    signal = signals.name_of(end.signal) if end.signal is not None else None
    return model.Exit(
        code=end.code, signal=signal, error=end.error, out_of_memory=end.out_of_memory
    )


def cause_document(cause: Cause, at: str) -> model.Cause:
    """`at` is the wall clock's word for when it came to be known."""
    return model.Cause(
        reason=cause.reason,
        text=words.cause(cause),
        member=cause.member or None,
        exit=exit_document(cause.exit) if cause.exit is not None else None,
        detail=cause.detail,
        at=at,
    )
