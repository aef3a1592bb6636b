"""Times and sizes, in the few columns that a table has for each."""

from datetime import UTC, datetime
from itertools import pairwise
from time import CLOCK_REALTIME, clock_gettime

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def now() -> float:
    """The wall clock, to say how long ago the time in a document is."""
    return clock_gettime(CLOCK_REALTIME)


def seconds_of(at: str) -> float:
    """A document's time, as `now` counts."""
    return datetime.fromisoformat(at).timestamp()


def rfc3339(moment: datetime) -> str:
    """A document's time; where no zone is given, it is this machine's."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(at: str, today: float) -> str:
    """A document's time by the clock on this wall, with its date if that isn't today's."""
    local = datetime.fromisoformat(at).astimezone()
    text = local.strftime("%H:%M:%S.") + f"{local.microsecond // 1000:03}"
    is_today = local.date() == datetime.fromtimestamp(today, UTC).astimezone().date()
    return text if is_today else f"{local:%Y-%m-%d} {text}"


def span(seconds: float) -> str:
    """`20ms`, `1.3s`, `45s`, `3m20s`, `2h05m`, `12d03h`: two units at most."""
    if seconds < 0.0005:
        return "0s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for (unit, size), (below, part) in pairwise(UNITS):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // part:02}{below}"
    return f"{whole}s"


def size(count: float) -> str:
    """`512`, `24K`, `1.5M`, `310M`, `2.1G`: powers of 1024."""
    unit = ""
    for larger in "KMGT":
        if count < 1000:
            break
        count, unit = count / 1024, larger
    digits = 1 if unit and count < 9.95 else 0
    return f"{count:.{digits}f}{unit}"
