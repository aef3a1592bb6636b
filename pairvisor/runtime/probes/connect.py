"""Connections for the probes that make one. No name is looked up: that would need a thread."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LOCALHOST = "127.0.0.1"
AGAIN = 0.02  # seconds


def split(target: str) -> tuple[str, int]:
    """HOST:PORT or [V6]:PORT as an address to connect to."""
    host, _, port = target.rpartition(":")
    host = host.strip("[]")
    return (LOCALHOST if host == "localhost" else host), int(port)


@asynccontextmanager
async def tcp(target: str) -> AsyncIterator[socket.socket]:
    """A TCP connection to HOST:PORT. Raises OSError as connect(2)."""
    host, port = split(target)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (host, port))
        if connection.getsockname() == connection.getpeername():
            # Nobody listens: it was given that very port as its own, and met itself.
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        yield connection


@asynccontextmanager
async def unix(path: str) -> AsyncIterator[socket.socket]:
    """A stream connection to a Unix socket. Raises OSError as connect(2)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await _connect_unix(connection, path)
        yield connection


async def _connect_unix(connection: socket.socket, path: str) -> None:
    """Connect once the queue of those who wait to be accepted has room: unix(7) tells by EAGAIN.

    asyncio takes that for a connection that is under way, and then for one that is made.
    """
    while True:
        try:
            connection.connect(path)
        except BlockingIOError:
            await asyncio.sleep(AGAIN)
        else:
            return
