"""One client: requests in, answers out, all of it bounded.

h11 knows the protocol; this is its socket, its limits and its clock. Descriptors may come with a
request's bytes (SCM_RIGHTS): a route that wants them takes them, all others are closed.
"""

import asyncio
import os
import select
import socket
from array import array
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress

import h11
import msgspec
from msgspec import Struct

from pairvisor.api.peer import Access, Peer
from pairvisor.record.model import Failure

PIECE = 1 << 16  # bytes read at once
LONGEST_HEAD = 16 * 1024  # bytes of a request line and its headers
LONGEST_BODY = 64 * 1024  # bytes
MOST_DESCRIPTORS = 3  # stdin, stdout, stderr
ASKING = 10.0  # seconds from a connection, or its last answer, to the next whole request
TAKING = 10.0  # seconds for the client to take a piece of an answer
LONGEST_WAIT = 60.0  # seconds that a connection is kept without a request
JSON = "application/json"


class Request(Struct):
    """What was asked; `accept` is the header.

    `descriptors` are the route's to close, once it has taken them.
    """

    method: str
    path: str
    query: str
    body: bytes
    peer: Peer
    access: Access
    descriptors: list[int]
    accept: str = ""


class Response(Struct):
    """An answer: bytes, or pieces that come one after the other, each sent before the next."""

    status: int = 200
    body: bytes | AsyncGenerator[bytes, None] = b""
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


Answer = Callable[[Request], Awaitable[Response]]


class GoneError(Exception):
    """The client has closed the connection, or takes nothing."""


class RefusedError(Exception):
    """The request can't be answered as it is: an HTTP status and why, for people."""

    def __init__(self, status: int, error: str, *problems: str, allow: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.failure = Failure(error=error, problems=list(problems))
        self.allow = allow

    def response(self) -> Response:
        headers = (("Allow", self.allow),) if self.allow else ()
        return Response(self.status, msgspec.json.encode(self.failure), headers=headers)


class Connection:
    """From accept to close. `is_idle` while it has asked nothing that is not answered."""

    def __init__(self, client: socket.socket, peer: Peer, access: Access, answer: Answer) -> None:
        self._socket = client
        self._peer = peer
        self._access = access
        self._answer = answer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
        self._loop = asyncio.get_running_loop()
        self._descriptors: list[int] = []
        self._patience = ASKING
        self._is_head = False  # an answer to that request has no body
        self.is_idle = True
        self.is_last_answer = False

    async def serve(self) -> None:
        """Answer one request after the other until the client goes or is found wanting."""
        with suppress(GoneError, TimeoutError, OSError):
            while await self._serve_one() and not self.is_last_answer:
                self._http.start_next_cycle()

    def has_asked(self) -> bool:
        """Whether there is something to read."""
        return bool(self._poll(select.POLLIN))

    def _poll(self, interest: int) -> int:
        """What of that, and what of an end, there is at this moment."""
        poll = select.poll()
        poll.register(self._socket, interest)
        return sum(mask for _, mask in poll.poll(0))

    def close(self) -> None:
        """To be called once `serve` is over, or was cancelled before it began."""
        _close(self._descriptors)
        self._socket.close()

    async def _serve_one(self) -> bool:
        """Whether another request may follow."""
        try:
            try:
                request = await self._request()
            except h11.RemoteProtocolError as error:
                raise RefusedError(error.error_status_hint, f"not HTTP/1.1: {error}") from None
        except RefusedError as refused:
            await self._send(refused.response())
            return False
        self.is_idle = False
        try:
            await self._respond(request)
        finally:
            self.is_idle = True
            _close(self._descriptors)
        self._patience = LONGEST_WAIT
        return self._http.our_state is self._http.their_state is h11.DONE

    async def _request(self) -> Request:
        self._is_head = False
        async with asyncio.timeout(self._patience) as limit:
            head = await self._event(limit)
            if not isinstance(head, h11.Request):
                raise GoneError
            self._is_head = head.method == b"HEAD"
            body = await self._body(limit)
        path, _, query = head.target.decode("ascii").partition("?")
        method = head.method.decode("ascii")
        given = self._descriptors
        accept = b",".join(value for name, value in head.headers if name == b"accept")
        return Request(
            method, path, query, body, self._peer, self._access, given, accept.decode("latin-1")
        )

    async def _body(self, limit: asyncio.Timeout) -> bytes:
        body = b""
        while isinstance(event := await self._event(limit), h11.Data):
            body += event.data
            if len(body) > LONGEST_BODY:
                raise RefusedError(413, f"a body of more than {LONGEST_BODY} bytes")
        if isinstance(event, h11.ConnectionClosed):
            raise GoneError
        return body

    async def _event(self, limit: asyncio.Timeout) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is h11.PAUSED:
                raise GoneError
            if not isinstance(event, type):
                return event
            if self._http.they_are_waiting_for_100_continue:
                await self._write(
                    self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
                )
            self._http.receive_data(await self._receive())
            # From its first byte on, a request has no more time than any other.
            soon = self._loop.time() + ASKING
            if (limit.when() or 0) > soon:
                limit.reschedule(soon)

    async def _receive(self) -> bytes:
        """The next bytes; empty at the end. Descriptors that come with them are kept."""
        await self._readable()
        space = socket.CMSG_SPACE(MOST_DESCRIPTORS * array("i").itemsize)
        data, ancillary, _, _ = self._socket.recvmsg(PIECE, space, socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = len(content) - len(content) % array("i").itemsize
                self._descriptors += array("i", content[:whole])
        if len(self._descriptors) > MOST_DESCRIPTORS:
            raise GoneError
        return data

    async def _readable(self) -> None:
        readable = self._loop.create_future()
        self._loop.add_reader(self._socket, _set, readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(self._socket)

    async def _respond(self, request: Request) -> None:
        """What the client's going away ends: an answer that takes its time."""
        task = self._loop.create_task(self._answer_and_send(request))
        self._loop.add_reader(self._socket, self._look_for_end, task)
        try:
            await task
        except asyncio.CancelledError:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
            raise GoneError from None
        finally:
            self._loop.remove_reader(self._socket)

    async def _answer_and_send(self, request: Request) -> None:
        response = await self._answer(request)
        await self._send(response)

    def _look_for_end(self, task: "asyncio.Task[None]") -> None:
        """Bytes can wait; one that has only ended his side of it (nc, socat) still listens."""
        self._loop.remove_reader(self._socket)
        if self._poll(0) & (select.POLLHUP | select.POLLERR):
            task.cancel()

    async def _send(self, response: Response) -> None:
        headers = [("Content-Type", response.media), *response.headers]
        body = response.body
        if isinstance(body, bytes):
            headers.append(("Content-Length", str(len(body))))
        head = h11.Response(status_code=response.status, headers=headers)
        await self._write(self._http.send(head))
        if isinstance(body, bytes):
            if not self._is_head:
                await self._write(self._http.send(h11.Data(data=body)))
        else:
            async with aclosing(body) as pieces:
                async for piece in pieces:
                    await self._write(self._http.send(h11.Data(data=piece)))
        await self._write(self._http.send(h11.EndOfMessage()))

    async def _write(self, data: bytes | None) -> None:
        async with asyncio.timeout(TAKING):
            await self._loop.sock_sendall(self._socket, data or b"")


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
