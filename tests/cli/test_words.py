"""What has happened, in words."""

import signal

import pytest

from pairvisor.core.effects import Finish, Outcome
from pairvisor.core.events import Exit
from pairvisor.core.state import Cause, Reason
from pairvisor.manifest.group import Member, Role
from pairvisor.record import words

KILLED = Cause(Reason.SIGNAL, "tls", Exit(signal=9))
ASKED = Cause(Reason.REQUEST, detail="to stop", request=7)


@pytest.mark.parametrize(
    ("exit_", "said"),
    [
        (Exit(code=0), "exited with 0"),
        (Exit(code=3), "exited with 3"),
        (Exit(signal=9), "was killed by SIGKILL"),
        (Exit(signal=9, out_of_memory=True), "was killed by SIGKILL (out of memory)"),
        (Exit(error='cannot run "x": no such file'), 'could not be started: cannot run "x": no '),
    ],
)
def test_ends(exit_: Exit, said: str) -> None:
    assert words.end(exit_).startswith(said)


@pytest.mark.parametrize(
    ("exit_", "is_normal"),
    [
        (Exit(code=0), True),
        (Exit(code=7), True),
        (Exit(signal=2), True),
        (Exit(code=130), True),
        (Exit(code=1), False),
        (Exit(signal=15), False),
        (Exit(code=143), False),
        (Exit(signal=9), False),
    ],
)
def test_a_stop_by_the_code_or_by_the_signal_is_normal(exit_: Exit, is_normal: bool) -> None:
    member = Member(
        name="a", role=Role.SIDECAR, stop_signal=signal.SIGINT, success_codes=frozenset({7})
    )
    assert words.is_normal_stop(member, exit_) is is_normal


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (KILLED, "tls was killed by SIGKILL"),
        (ASKED, "the group was asked to stop"),
        (
            Cause(Reason.EXIT, "app", Exit(code=1), "gave up after 5 restarts within 60 s"),
            "app exited with 1 (gave up after 5 restarts within 60 s)",
        ),
        (
            Cause(Reason.LIVE, "app", detail="HTTP status 500"),
            "app failed its live probe: HTTP status 500",
        ),
        (
            Cause(Reason.HOOK, "app", detail="post_start exited with 1"),
            "app failed in a hook: post_start exited with 1",
        ),
        (Cause(Reason.NOT_STOPPED, "app"), "app had to be killed"),
        (
            Cause(Reason.START_TIMEOUT, "app", detail="not ready within 3 s"),
            "app was not ready within 3 s",
        ),
        (
            Cause(Reason.START_TIMEOUT, detail="not ready within 3 s"),
            "the group was not ready within 3 s",
        ),
    ],
)
def test_causes(why: Cause, said: str) -> None:
    assert words.cause(why) == said


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (0.0, "0 s"),
        (0.0512, "0.051 s"),
        (0.25, "0.25 s"),
        (1.04, "1 s"),
        (9.94, "9.9 s"),
        (12.3, "12 s"),
        (119.4, "119 s"),
        (120.0, "2 min"),
        (200.0, "3 min 20 s"),
        (3600.0, "60 min"),
    ],
)
def test_durations(duration: float, said: str) -> None:
    assert words.seconds(duration) == said


@pytest.mark.parametrize(
    ("finish", "said"),
    [
        (Finish(Outcome.STOPPED, 0, ASKED), "stopped, as asked"),
        (Finish(Outcome.SUCCEEDED, 0, None), "succeeded"),
        (Finish(Outcome.FAILED, 137, KILLED), "failed: tls was killed by SIGKILL"),
    ],
)
def test_results(finish: Finish, said: str) -> None:
    assert words.result(finish) == said
