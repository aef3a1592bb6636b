"""Lines as they are written where they go, whatever bytes they have."""

import json
import re
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from pairvisor.runtime.logs.lines import (
    Data,
    Lines,
    as_json,
    as_raw,
    as_text,
    rfc3339,
)

AT = 1_795_431_994.1239
STAMP = "2026-11-23T11:06:34.123Z"


def lines(rest: bytes, piece: bytes, *, is_cut: bool = False, end: int | None = None) -> Lines:
    return Lines("web", 3, "stderr", AT, rest, piece, len(piece) if end is None else end, is_cut)


def joined(parts: Iterable[Data]) -> bytes:
    return b"".join(map(bytes, parts))


def messages(written: Iterable[Data]) -> list[str]:
    return [json.loads(line)["message"] for line in joined(written).split(b"\n")[:-1]]


def test_the_time_is_in_utc_and_milliseconds() -> None:
    assert rfc3339(AT) == STAMP
    assert rfc3339(0.9999) == "1970-01-01T00:00:00.999Z"


def test_text() -> None:
    written = joined(as_text(lines(b"o", b"ne\n\ntwo\n")))
    start = f"{STAMP} web stderr ".encode()
    assert written == start + b"one\n" + start + b"\n" + start + b"two\n"


def test_text_without_a_newline_at_its_end() -> None:
    start = f"{STAMP} web stderr".encode()
    assert joined(as_text(lines(b"", b"one\ntwo"))) == start + b" one\n" + start + b" two\n"
    assert joined(as_text(lines(b"", b"long", is_cut=True))) == start + b"+ long\n"


def test_json() -> None:
    (line,) = joined(as_json(lines(b"a", b'"b"\n'))).splitlines()
    assert json.loads(line) == {
        "at": STAMP,
        "member": "web",
        "run": 3,
        "stream": "stderr",
        "message": 'a"b"',
    }
    written = joined(as_json(lines(b"", b"whole\nlong", is_cut=True))).splitlines()
    assert ["continues" in json.loads(line) for line in written] == [False, True]
    assert json.loads(written[1])["continues"] is True


def test_every_byte_is_written_as_it_is_and_json_stays_json() -> None:
    every = bytes(byte for byte in range(256) if byte != 10) + "\u2028é\x7f".encode() + b"\n"
    assert joined(as_raw(lines(every[:9], every[9:]))) == every
    assert joined(as_text(lines(b"", every))).endswith(every)
    assert messages(as_json(lines(b"", every))) == [every[:-1].decode(errors="replace")]


BYTES = st.lists(
    st.sampled_from([b"a", b"\n", b'"', b"\\", b"\\n", b"\x7f", b"\xc3\xa9", b"\xff", b"\0"])
).map(b"".join)


@given(BYTES.map(lambda data: data.replace(b"\n", b"")), BYTES, st.booleans())
def test_all_formats_have_the_same_lines(rest: bytes, piece: bytes, is_cut: bool) -> None:
    given_lines = lines(rest, piece, is_cut=is_cut and not piece.endswith(b"\n"))
    text = rest + piece
    wanted = text.split(b"\n")
    if not wanted[-1]:
        wanted.pop()
    assert joined(as_raw(given_lines)) == text
    if not text:
        return
    assert messages(as_json(given_lines)) == [w.decode(errors="replace") for w in wanted]
    start = re.compile(rb"^%s web stderr\+? " % STAMP.encode())
    written = joined(as_text(given_lines)).split(b"\n")[:-1]
    assert [start.sub(b"", line) for line in written] == wanted


def test_what_lies_behind_the_last_newline_is_left_alone() -> None:
    half = lines(b"", b"one\ntw", end=4)
    assert joined(as_raw(half)) == b"one\n"
    assert messages(as_json(half)) == ["one"]


def test_only_what_begins_elsewhere_is_copied_for_raw() -> None:
    parts = list(as_raw(lines(b"a", b"b\nc\n")))
    assert parts == [b"ab\n", b"c\n"]
    assert isinstance(parts[1], memoryview)
