"""Signals by their names, as people write them."""

import signal

import pytest

from pairvisor.manifest import signals


@pytest.mark.parametrize(
    ("number", "name"), [(15, "SIGTERM"), (signal.SIGRTMIN, "SIGRTMIN"), (999, "signal 999")]
)
def test_what_a_signal_is_called(number: int, name: str) -> None:
    assert signals.name_of(number) == name


@pytest.mark.parametrize("written", ["SIGHUP", "HUP", "hup", "sighup"])
def test_a_name_means_a_signal_however_it_is_written(written: str) -> None:
    assert signals.named(written) == signals.named_or_numbered(written) == 1


def test_a_number_means_one_only_where_numbers_may_stand() -> None:
    assert signals.named("15") is None
    assert signals.named_or_numbered("15") == 15


@pytest.mark.parametrize("written", ["", "SIG", "SIGSIGTERM", "0", "-1", "01", "35", "FOO", "1e0"])
def test_what_is_no_signal(written: str) -> None:
    assert signals.named_or_numbered(written) is None
