"""How lines are written where they go.

A piece of output has thousands of lines, so none is looked at alone: what comes before a line and
what comes behind it is put in at all newlines at once.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from time import gmtime, strftime

import msgspec
from msgspec import Struct

from pairvisor.manifest.group import LineFormat
from pairvisor.runtime.ring import Stream

DELETE = b"\x7f"  # stands for the newlines while JSON's own are escaped


Data = bytes | memoryview


class Lines(Struct, frozen=True, gc=False):
    """Whole lines of one stream, read at one moment: the rest of what was read before, then so much
    of a piece.

    The last one has no newline where the stream ended without it, or where it was too long to be
    kept together, and goes on (`is_cut`).
    """

    member: str
    run: int
    stream: Stream
    at: float
    rest: bytes
    piece: bytes
    end: int
    is_cut: bool = False

    @property
    def text(self) -> bytes:
        return self.rest + self.piece[: self.end]

    @property
    def count(self) -> int:
        ends = self.piece.count(b"\n", 0, self.end)
        return ends + (not self.piece.endswith(b"\n", 0, self.end))


def rfc3339(at: float) -> str:
    """The wall clock's time in UTC, in milliseconds."""
    return _in_milliseconds(int(at * 1000))


@lru_cache(maxsize=4)
def _in_milliseconds(at: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(at // 1000)) + f".{at % 1000:03}Z"


def as_raw(lines: Lines) -> Iterator[Data]:
    """Not copied: what of the piece goes on with the rest is apart from what begins with a line."""
    begin = 0
    if lines.rest:
        begin = min(lines.piece.find(b"\n", 0, lines.end) + 1 or lines.end, lines.end)
        yield lines.rest + lines.piece[:begin]
    if begin < lines.end:
        yield memoryview(lines.piece)[begin : lines.end]


def as_text(lines: Lines) -> Iterator[Data]:
    """Time, member, stream, message; the stream has a `+` where the line goes on in the next."""
    start = f"{rfc3339(lines.at)} {lines.member} {lines.stream}"
    whole, rest = _parted(lines)
    written = wrapped(whole, f"{start} ".encode())
    if rest:
        written += f"{start}{'+' if lines.is_cut else ''} ".encode() + rest + b"\n"
    yield written


def as_json(lines: Lines) -> Iterator[Data]:
    """One object a line, as `LogLine`; `continues` where the line goes on in the next."""
    member = msgspec.json.encode(lines.member).decode()
    start = (
        f'{{"at":"{rfc3339(lines.at)}","member":{member},"run":{lines.run},'
        f'"stream":"{lines.stream}","message":"'
    ).encode()
    whole, rest = _parted(lines)
    written = b""
    if DELETE in whole:
        written = b"".join(start + _escaped(line) + b'"}\n' for line in whole[:-1].split(b"\n"))
    elif whole:
        body = _escaped(whole[:-1].replace(b"\n", DELETE))
        written = start + body.replace(DELETE, b'"}\n' + start) + b'"}\n'
    if rest:
        end = b'","continues":true}\n' if lines.is_cut else b'"}\n'
        written += start + _escaped(rest) + end
    yield written


FORMATS: dict[LineFormat, Callable[[Lines], Iterator[Data]]] = {
    LineFormat.RAW: as_raw,
    LineFormat.TEXT: as_text,
    LineFormat.JSON: as_json,
}


def wrapped(whole: bytes, start: bytes) -> bytes:
    """The lines, each behind that."""
    return start + whole[:-1].replace(b"\n", b"\n" + start) + b"\n" if whole else b""


def _parted(lines: Lines) -> tuple[bytes, bytes]:
    """The lines with a newline, and what is left."""
    text = lines.text
    if text.endswith(b"\n"):
        return text, b""
    end = text.rfind(b"\n") + 1
    return text[:end], text[end:]


def _escaped(text: bytes) -> bytes:
    """As it stands between a JSON string's quotes; bytes that are not UTF-8 become U+FFFD."""
    return msgspec.json.encode(text.decode(errors="replace"))[1:-1]
