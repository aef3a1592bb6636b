"""Times and sizes in few columns."""

import pytest

from pairvisor.cli import measures


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0s"),
        (-1.0, "0s"),
        (0.0004, "0s"),
        (0.0012, "1ms"),
        (0.42, "420ms"),
        (0.9996, "1.0s"),
        (1.26, "1.3s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (200, "3m20s"),
        (3599.9, "1h00m"),
        (7500, "2h05m"),
        (86400 * 12 + 3600 * 3, "12d03h"),
    ],
)
def test_spans(seconds: float, shown: str) -> None:
    assert measures.span(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0K"),
        (10 << 10, "10K"),
        (1 << 20, "1.0M"),
        (1000 << 10, "1.0M"),
        (310 << 20, "310M"),
        (2 << 30, "2.0G"),
        (5000 << 40, "5000T"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert measures.size(count) == shown


def test_a_time_has_its_date_if_that_is_not_todays() -> None:
    at = "2026-05-01T12:00:00.250Z"
    today = measures.seconds_of(at)
    assert measures.clock(at, today).endswith(":00.250")
    assert len(measures.clock(at, today)) == len("12:00:00.250")
    assert measures.clock(at, today + 3 * 86400).startswith("2026-05-0")
