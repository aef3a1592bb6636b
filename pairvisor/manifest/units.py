"""The manifest's scalars: durations, sizes, umasks, signals. Each refuses what it can't mean.

They are subclasses of what they stand for, so a decoded value needs no unwrapping.
"""

import re
from math import isfinite

from pairvisor.manifest import signals

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(|B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_BYTES = {"": 1, "B": 1} | {
    f"{prefix}{unit}": base**power
    for unit, base in (("B", 1000), ("iB", 1024))
    for power, prefix in enumerate("KMGT", 1)
}
LONGEST = 10 * 365 * 86400.0


class Duration(float):
    """Seconds: `500ms`, `10s`, `2m`, `1h30m`, or a bare number of seconds."""

    @classmethod
    def parse(cls, written: object) -> "Duration":
        """Raise ValueError, with what to write instead, unless it is 0 to ten years."""
        seconds = cls._seconds(written)
        if seconds is None or not isfinite(seconds) or not 0 <= seconds <= LONGEST:
            raise ValueError(
                'expected a duration such as "500ms", "10s", "1h30m" or a number of seconds '
                f"from 0 to ten years, got {shown(written)}"
            )
        return cls(seconds)

    @staticmethod
    def _seconds(written: object) -> float | None:
        if isinstance(written, bool):
            return None
        if isinstance(written, int | float):
            return float(written) if abs(written) <= LONGEST else None
        if not isinstance(written, str) or len(written) > 40:
            return None
        text = written.strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            return float(text)
        parts = _DURATION_PART.findall(text)
        if not parts or "".join(n + unit for n, unit in parts) != text:
            return None
        return sum(float(n) * _SECONDS[unit] for n, unit in parts)


class Size(int):
    """Bytes: `512`, `64KiB`, `10MB`, `1GiB`."""

    @classmethod
    def parse(cls, written: object) -> "Size":
        """Raise ValueError, with what to write instead, unless it is 0 to 2**63 - 1 bytes."""
        count: float = -1
        if isinstance(written, int) and not isinstance(written, bool):
            count = written
        elif isinstance(written, str) and (match := _SIZE.fullmatch(written.strip()[:40])):
            count = float(match[1]) * _BYTES[match[2]]
        if not 0 <= count < 2**63:
            raise ValueError(
                f'expected a size such as 512, "64KiB", "10MB" or "1GiB", got {shown(written)}'
            )
        return cls(count)


class Bound(int):
    """How much of a resource a process may have: a number, a size, or `unlimited`, which is -1."""

    @classmethod
    def parse(cls, written: object) -> "Bound":
        """Raise ValueError, with what to write instead, unless it is one of these."""
        if written == "unlimited":
            return cls(-1)
        try:
            return cls(Size.parse(written))
        except ValueError:
            raise ValueError(
                f'expected a number, a size such as "64KiB", or "unlimited", got {shown(written)}'
            ) from None


class Mode(int):
    """A folder's permissions, written in octal between quotes: `"2770"`."""

    @classmethod
    def parse(cls, written: object) -> "Mode":
        """Raise ValueError, with what to write instead, unless it is three or four octal digits."""
        if isinstance(written, str) and re.fullmatch(r"[0-7]{3,4}", written):
            return cls(int(written, 8))
        raise ValueError(f'expected octal permissions such as "2770", got {shown(written)}')


class Umask(int):
    """A file mode mask, written in octal between quotes: `"0027"`."""

    @classmethod
    def parse(cls, written: object) -> "Umask":
        """Raise ValueError, with what to write instead, unless it is three or four octal digits."""
        if isinstance(written, str) and re.fullmatch(r"0?[0-7]{3}", written):
            return cls(int(written, 8))
        raise ValueError(f'expected an octal umask such as "0027", got {shown(written)}')


class SignalName(int):
    """A signal's number, written by name: `SIGTERM` or `TERM`."""

    @classmethod
    def parse(cls, written: object) -> "SignalName":
        """Raise ValueError, with what to write instead, unless this system has that signal."""
        if isinstance(written, str):
            number = signals.named(written)
            if number is not None:
                return cls(number)
        raise ValueError(f'expected a signal such as "SIGTERM" or "INT", got {shown(written)}')


def shown(written: object) -> str:
    """A value as an error message quotes it: in TOML's words, never longer than a line."""
    if isinstance(written, bool):
        return str(written).lower()
    if isinstance(written, str):
        text = '"' + written.replace("\n", "\\n") + '"'
    else:
        text = "a list" if isinstance(written, list) else _number(written)
        text = "a table" if isinstance(written, dict) else text
    return text if len(text) <= 60 else text[:57] + "…"


def _number(written: object) -> str:
    # Python refuses to print an integer of more than 4,300 digits, which hexadecimal ones can be.
    if isinstance(written, int) and abs(written) >= 10**40:
        return "a huge number"
    return str(written)
