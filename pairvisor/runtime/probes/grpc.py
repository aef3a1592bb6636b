"""`grpc`: grpc.health.v1.Health/Check answers SERVING for the whole server.

HTTP/2 is h2's; the two messages are so small that they are written out: an empty request, and a
response whose field 1 is the status (grpc/health/v1/health.proto; SERVING is 1).
"""

import asyncio
import socket

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from pairvisor.manifest.group import Probe
from pairvisor.runtime.probes import About, ProbeFailedError, connect

PIECE = 1 << 16
LARGEST = 1 << 16  # bytes of an answer
NO_MESSAGE = b"\0\0\0\0\0"  # not compressed, length 0
SERVING = b"\0\0\0\0\2\x08\x01"
STATUSES = {b"": "UNKNOWN", b"\x08\x00": "UNKNOWN", b"\x08\x02": "NOT_SERVING"}


async def look(probe: Probe, about: About) -> None:
    target = probe.target[0]
    async with connect.tcp(target) as connection:
        try:
            answer = await _check(connection, target)
        except h2.exceptions.ProtocolError as error:
            raise ProbeFailedError(f"not an HTTP/2 answer: {error}") from None
    if answer != SERVING:
        raise ProbeFailedError(f"it answers {STATUSES.get(answer[5:], 'something else')}")


async def _check(connection: socket.socket, authority: str) -> bytes:
    """The answer's message. Raises ProbeFailedError where the server gives an error instead."""
    loop = asyncio.get_running_loop()
    http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    http.initiate_connection()
    stream = http.get_next_available_stream_id()
    http.send_headers(stream, _headers(authority))
    http.send_data(stream, NO_MESSAGE, end_stream=True)
    answer = b""
    while len(answer) < LARGEST:
        await loop.sock_sendall(connection, http.data_to_send())
        piece = await loop.sock_recv(connection, PIECE)
        if not piece:
            raise ProbeFailedError("closed without an answer")
        for event in http.receive_data(piece):
            if isinstance(event, h2.events.DataReceived):
                answer += event.data or b""
            elif _is_end(event):
                return answer
    raise ProbeFailedError("too long an answer")


def _is_end(event: h2.events.Event) -> bool:
    if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
        _raise_on_error(dict(event.headers or ()))
    if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
        raise ProbeFailedError("the server ended the connection")
    return isinstance(event, h2.events.StreamEnded)


def _raise_on_error(headers: dict[bytes, bytes]) -> None:
    status = headers.get(b"grpc-status", b"0")
    if status != b"0":
        said = headers.get(b"grpc-message", b"").decode(errors="replace")
        raise ProbeFailedError(f"gRPC status {status.decode(errors='replace')} {said}".strip())


def _headers(authority: str) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", authority),
        (":path", "/grpc.health.v1.Health/Check"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "pairvisor"),
    ]
