"""Connections for the probes that make one. No name is looked up: that would need a thread."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LOCALHOST = "127.0.0.1"


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
        yield connection


@asynccontextmanager
async def unix(path: str) -> AsyncIterator[socket.socket]:
    """A stream connection to a Unix socket. Raises OSError as connect(2)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, path)
        yield connection
