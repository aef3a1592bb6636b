"""`http`: the answer's status is 200 to 399. A redirect is an answer and is not followed."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager, suppress

import h11

from pairvisor.manifest.group import Probe
from pairvisor.runtime.probes import About, ProbeFailedError, connect

PIECE = 4096  # bytes; h11 refuses headers of more than 16 KiB
MOST_OF_BODY = 1 << 16  # bytes
TIME_FOR_BODY = 0.1  # seconds


async def look(probe: Probe, about: About) -> None:
    server, host, path = _server(probe.target[0])
    async with server as connection:
        try:
            status = await _get(connection, host, path)
        except h11.RemoteProtocolError as error:
            raise ProbeFailedError(f"not an HTTP answer: {error}") from None
    if not 200 <= status <= 399:
        raise ProbeFailedError(f"HTTP status {status}")


def _server(target: str) -> tuple[AbstractAsyncContextManager[socket.socket], str, str]:
    """Where to connect, the Host header, the path."""
    if target.startswith("unix:"):
        sock, _, path = target.removeprefix("unix:").partition(":")
        return connect.unix(sock), "localhost", path
    host, slash, path = target.removeprefix("http://").partition("/")
    return connect.tcp(host), host, slash + path


async def _get(connection: socket.socket, host: str, path: str) -> int:
    loop, http = asyncio.get_running_loop(), h11.Connection(h11.CLIENT)
    headers = [("Host", host), ("User-Agent", "pairvisor"), ("Connection", "close")]
    request = http.send(h11.Request(method="GET", target=path, headers=headers))
    await loop.sock_sendall(connection, request + http.send(h11.EndOfMessage()))
    while True:
        event = http.next_event()
        if isinstance(event, h11.Response):
            await _take_body(connection)
            return int(event.status_code)
        if event is h11.NEED_DATA:
            http.receive_data(await loop.sock_recv(connection, PIECE))
        elif not isinstance(event, h11.InformationalResponse):
            raise ProbeFailedError("closed without an answer")


async def _take_body(connection: socket.socket) -> None:
    """Let the server finish, within bounds: one that still writes would log a broken pipe."""
    taken = 0
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(TIME_FOR_BODY):
            while taken < MOST_OF_BODY:
                piece = await asyncio.get_running_loop().sock_recv(connection, PIECE)
                if not piece:
                    return
                taken += len(piece)
