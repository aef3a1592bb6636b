"""What an end means, by the manifest's words alone."""

import pytest

from pairvisor.core.events import Exit
from pairvisor.core.fate import fate_of
from pairvisor.manifest.group import Fate, Member, Role

MEMBER = Member(
    name="app",
    role=Role.PRIMARY,
    success_codes=frozenset({0, 3}),
    on_exit={42: Fate.TEARDOWN, 3: Fate.IGNORE, -1: Fate.IGNORE},
    on_success=Fate.TEARDOWN,
    on_failure=Fate.RESTART,
)


@pytest.mark.parametrize(
    ("end", "fate"),
    [
        (Exit(code=0), Fate.TEARDOWN),
        (Exit(code=1), Fate.RESTART),
        (Exit(code=42), Fate.TEARDOWN),
        (Exit(code=3), Fate.IGNORE),  # on_exit comes before on_success
        (Exit(signal=1), Fate.IGNORE),
        (Exit(signal=9), Fate.RESTART),
        (Exit(signal=42), Fate.RESTART),  # a signal is no code
        (Exit(error="no such file"), Fate.RESTART),
    ],
)
def test_fate_of(end: Exit, fate: Fate) -> None:
    assert fate_of(MEMBER, end) is fate


def test_what_never_ran_is_no_exit_with_0() -> None:
    strict = Member(name="a", role=Role.SIDECAR, on_exit={0: Fate.IGNORE})
    assert fate_of(strict, Exit(error="no such file")) is Fate.RESTART_GROUP


@pytest.mark.parametrize(
    ("end", "status"),
    [(Exit(code=7), 7), (Exit(signal=15), 143), (Exit(error="no such file"), 126)],
)
def test_the_status_of_an_exit(end: Exit, status: int) -> None:
    assert end.status == status
