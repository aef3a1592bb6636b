"""The routes that only look."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import msgspec

from pairvisor.api import asked
from pairvisor.api.connection import RefusedError, Request, Response
from pairvisor.record.model import Dropped
from pairvisor.runtime.control import Control
from pairvisor.runtime.reader import Reader

STREAM = "text/event-stream"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
AT_ONCE = 500  # lines in one piece of an answer


def as_json(document: Any) -> Response:
    """The answer that most routes have."""
    return Response(body=msgspec.json.encode(document))


def message(kind: str, data: Any, number: int | None = None) -> bytes:
    """One server-sent event, as the HTML standard has them."""
    first = b"" if number is None else b"id: %d\n" % number
    return first + b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(data))


async def status(control: Control, request: Request, query: asked.Nothing) -> Response:
    return as_json(control.status())


async def why(control: Control, request: Request, query: asked.AboutMember) -> Response:
    return as_json(control.why(query.member))


async def timeline(control: Control, request: Request, query: asked.Nothing) -> Response:
    return as_json(control.timeline())


async def metrics(control: Control, request: Request, query: asked.Nothing) -> Response:
    from pairvisor.api.exposition import expose  # noqa: PLC0415 - at the first scrape

    text, media = expose(control.status(), request.accept)
    return Response(body=text, media=media)


async def openapi(control: Control, request: Request, query: asked.Nothing) -> Response:
    from pairvisor.api.openapi import document  # noqa: PLC0415 - a program asks once

    return as_json(document())


async def events(control: Control, request: Request, query: asked.AboutEvents) -> Response:
    found = control.records.history.since(query.since)
    if query.n is not None:
        found = found[max(len(found) - query.n, 0) :]
    if not query.follow:
        return as_json(found)
    control.check_room()
    last = found[0].id - 1 if found else control.records.history.last_id
    return Response(body=_follow_events(control, last), media=STREAM)


async def _follow_events(control: Control, last: int) -> AsyncGenerator[bytes, None]:
    """All later than that one, as they come, until the group has ended."""
    with control.following():
        while True:
            found = control.records.history.since(last)
            if found:
                last = found[-1].id
                yield b"".join(message(event.kind, event, event.id) for event in found)
            elif control.is_over:
                return
            else:
                await control.bell.wait()


async def logs(control: Control, request: Request, query: asked.AboutLogs) -> Response:
    members = control.members_named(query.member) if query.member else None
    await control.catch_up()
    look = control.rings.follow if query.follow else control.rings.read
    reader = look(members, query.n, _moment(query.since), previous=query.previous)
    if query.follow:
        control.check_room()
        return Response(body=_follow_lines(control, reader), media=STREAM)
    return Response(body=_list_lines(reader))


def _moment(text: str) -> float | None:
    """Seconds since the epoch. Raises RefusedError with 400."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise RefusedError(400, "since: a time such as 2026-05-01T12:00:00Z")
    return at.timestamp()


async def _follow_lines(control: Control, reader: Reader) -> AsyncGenerator[bytes, None]:
    """What there is, then what comes; a client that is too slow is told what it has missed."""
    with control.following():
        while True:
            lines, lost = reader.take(AT_ONCE)
            if lines or lost:
                dropped = [Dropped(member=name, bytes=count) for name, count in lost.items()]
                yield b"".join(message("dropped", one) for one in dropped) + b"".join(
                    message("line", line) for line in lines
                )
            elif control.is_over:
                return
            else:
                await control.bell.wait()


async def _list_lines(reader: Reader) -> AsyncGenerator[bytes, None]:
    """A JSON list in pieces: all rings at once would be a large one."""
    start = b"["
    while lines := reader.take(AT_ONCE)[0]:
        yield start + b",".join(map(msgspec.json.encode, lines))
        start = b","
    yield b"]" if start == b"," else b"[]"
