"""The metrics' own door, for a scraper that can't come through the control socket.

Whoever reaches the address may look, so it is on the loopback or a Unix socket, and there is
nothing behind it but `GET /metrics`.
"""

import os
import socket
from contextlib import suppress

from pairvisor.api import views
from pairvisor.api.asked import Nothing
from pairvisor.api.connection import RefusedError, Request, Response
from pairvisor.api.peer import Access, Peer
from pairvisor.manifest.group import Endpoint
from pairvisor.record.model import Caller
from pairvisor.runtime.control import Control

BACKLOG = 16
CLIENTS = 8
ANYBODY = Peer(Caller(uid=0, gid=0, pid=0), frozenset())


def listen(endpoint: Endpoint) -> socket.socket:
    """A listening socket there. Raises OSError."""
    if not endpoint.path:
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        address = (endpoint.host, endpoint.port)
        return socket.create_server(address, family=family, backlog=BACKLOG)
    with suppress(FileNotFoundError):
        os.unlink(endpoint.path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(endpoint.path)
    os.chmod(endpoint.path, 0o660)
    listener.listen(BACKLOG)
    return listener


class Door:
    """Answers for the metrics alone."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def answer(self, request: Request) -> Response:
        """Never raises."""
        if request.path != "/metrics":
            return RefusedError(404, "only /metrics is here").response()
        if request.method != "GET":
            return RefusedError(405, "only GET", allow="GET").response()
        return await views.metrics(self._control, request, Nothing())

    def judge(self, client: socket.socket) -> tuple[Peer, Access]:
        return ANYBODY, Access.READ
