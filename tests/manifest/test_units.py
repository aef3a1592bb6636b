"""Durations, sizes and names: what is taken and, above all, what isn't."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairvisor.manifest.names import check_name
from pairvisor.manifest.report import Report
from pairvisor.manifest.units import LONGEST, Duration, SignalName, Size, Umask


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("1.5m", 90),
        ("1h30m", 5400),
        ("1d", 86400),
        (" 7 ", 7),
        (0, 0),
        (2.5, 2.5),
    ],
)
def test_durations(written: object, seconds: float) -> None:
    assert Duration.parse(written) == pytest.approx(seconds)


NUMBERS = [math.inf, -math.inf, math.nan, -1, 1e308, 10**400]
OTHERS: list[object] = [
    True,
    None,
    [],
    {},
    "",
    "s",
    "5 s",
    "-1s",
    "1e3s",
    "inf",
    "nan",
    "1h-5m",
    "100000d",
]
LONG_AND_FOREIGN = ["9" * 400 + "s", "\N{ARABIC-INDIC DIGIT THREE}s"]


@pytest.mark.parametrize(
    "written", [*NUMBERS, *OTHERS, *LONG_AND_FOREIGN], ids=lambda value: str(value)[:12]
)
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        Duration.parse(written)


@settings(deadline=None)
@given(st.floats() | st.integers() | st.text() | st.from_regex(r"\A[0-9.]*(ms|[smhd])?\Z"))
def test_a_duration_is_finite_and_not_negative(written: float | str) -> None:
    try:
        seconds = Duration.parse(written)
    except ValueError:
        return
    assert 0 <= seconds <= LONGEST


@pytest.mark.parametrize(
    ("written", "count"),
    [(512, 512), ("512", 512), ("64KiB", 65536), ("10MB", 10**7), ("1 GiB", 2**30)],
)
def test_sizes(written: object, count: int) -> None:
    assert Size.parse(written) == count


@pytest.mark.parametrize("written", [-1, 2**63, 1.5, True, "5 apples", "-1", "1kb", "9e9", "inf"])
def test_what_is_no_size(written: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        Size.parse(written)


def test_umasks_and_signals() -> None:
    assert Umask.parse("0027") == 0o027
    assert SignalName.parse("term") == SignalName.parse("SIGTERM") == 15
    for written in (27, "9999", "27", "0o27"):
        with pytest.raises(ValueError, match="expected an octal umask"):
            Umask.parse(written)
    for signal in (15, "SIG", "SIGSIGTERM", "FOO", ""):
        with pytest.raises(ValueError, match="expected a signal"):
            SignalName.parse(signal)


@settings(deadline=None)
@given(st.text(alphabet="ab09-_./@ A\0\né", max_size=66))
def test_a_name_never_leaves_its_folder(name: str) -> None:
    report = Report()
    check_name(name, report)
    allowed = set(name) <= set("ab09-") and not name.startswith("-") and 1 <= len(name) <= 63
    assert report.failed is not allowed
