"""What has happened to a group, in words for people."""

from pairvisor.core import effects as do
from pairvisor.core.events import Exit
from pairvisor.core.state import Cause, Reason
from pairvisor.manifest import signals
from pairvisor.manifest.group import Member

REASONS = {
    Reason.LIVE: "failed its live probe",
    Reason.HOOK: "failed in a hook",
    Reason.NOT_STOPPED: "had to be killed",
    Reason.UNKILLABLE: "can't be killed",
    Reason.STUCK: "is stuck",
}


def end(exit_: Exit) -> str:
    """`exited with 3`, `was killed by SIGKILL`, `could not be started: …`."""
    if exit_.error is not None:
        return f"could not be started: {exit_.error}"
    if exit_.signal is not None:
        why = " (out of memory)" if exit_.out_of_memory else ""
        return f"was killed by {signals.name_of(exit_.signal)}{why}"
    return f"exited with {exit_.code}"


def is_normal_stop(member: Member, exit_: Exit) -> bool:
    """Whether that is how a program ends that was told to: by a code, or by the signal itself."""
    codes = {0, *member.success_codes, 128 + member.stop_signal}
    return exit_.signal == member.stop_signal or exit_.code in codes


def cause(why: Cause) -> str:
    """A clause with a subject: `tls was killed by SIGKILL`."""
    subject = why.member or "the group"
    if why.exit is not None:
        return f"{subject} {end(why.exit)}" + (f" ({why.detail})" if why.detail else "")
    if why.reason in REASONS:
        return f"{subject} {REASONS[why.reason]}" + (f": {why.detail}" if why.detail else "")
    if why.reason is Reason.REQUEST:
        return f"{subject} was asked {why.detail}"
    if why.reason is Reason.MAX_RUNTIME:
        return f"{subject} {why.detail}, its max_runtime"
    return f"{subject} was {why.detail}"


def seconds(duration: float) -> str:
    """`0.25 s`, `12 s`, `3 min 20 s`: no more digits than matter."""
    if duration < 10:
        return f"{max(duration, 0.001):.2g} s" if duration else "0 s"
    if duration < 120:
        return f"{duration:.0f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def result(finish: do.Finish) -> str:
    """`failed: primary exited with 3`."""
    if finish.cause is None:
        return finish.outcome
    if finish.cause.reason is Reason.REQUEST:
        return f"{finish.outcome}, as asked"
    return f"{finish.outcome}: {cause(finish.cause)}"
