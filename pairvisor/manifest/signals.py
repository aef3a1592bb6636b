"""Signals, as people write them and read of them: a table, the one place that has their names."""

from signal import Signals

NAMES = {name: signum.value for name, signum in Signals.__members__.items()}
_NUMBERS = {str(signum.value): signum.value for signum in Signals}


def name_of(signum: int) -> str:
    """`SIGTERM`; `signal 35` of one that has no name."""
    try:
        return Signals(signum).name
    except ValueError:
        return f"signal {signum}"


def named(written: str) -> int | None:
    """The number, of `SIGHUP`, `HUP` or `hup`; None where this system has no such signal."""
    return NAMES.get(full_name(written))


def named_or_numbered(written: str) -> int | None:
    """As `named`, and of `1`."""
    return _NUMBERS.get(written) or named(written)


def full_name(written: str) -> str:
    """`SIGHUP`, of `hup`; whether there is such a signal or not."""
    name = written.upper()
    return name if name.startswith("SIG") else f"SIG{name}"
