"""Clients of every kind against the server alone: what they cost is bounded, others are served."""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pairvisor.api import connection
from pairvisor.api.connection import Request, Response
from pairvisor.api.peer import Access, peer_of
from pairvisor.api.server import Server

ASK = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
WITHIN = 20.0  # seconds


class Served:
    """A server on a socket of the test's own, and what it was asked."""

    def __init__(self, path: str, most: int) -> None:
        self.path = path
        self.asked: list[Request] = []
        self.faults: list[BaseException] = []
        self.respond: Callable[[Request], Response] = lambda _: Response(body=b'"fine"')
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1024)
        self._open = [self.listener]
        self.server = Server(self.listener, self._answer, self._judge, self.faults.append, most)

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        return self.respond(request)

    @staticmethod
    def _judge(client: socket.socket) -> Any:
        return peer_of(client), Access.FULL

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.path)
        client.setblocking(False)
        self._open.append(client)
        return client

    def close(self) -> None:
        for one in self._open:
            one.close()

    async def say(self, data: bytes, client: socket.socket | None = None) -> bytes:
        """Send that, and read until the server closes or has answered once."""
        client = client or self.connect()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WITHIN):
            with suppress(BrokenPipeError):
                await loop.sock_sendall(client, data)
            answer = b""
            while piece := await loop.sock_recv(client, 1 << 16):
                answer += piece
                if answer.endswith((b'"fine"', b"}")):
                    break
        return answer


@pytest.fixture
def serving(tmp_path: Path) -> Callable[..., None]:
    def run(test: Callable[[Served], Coroutine[Any, Any, None]], most: int = 8) -> None:
        async def main() -> None:
            served = Served(str(tmp_path / "s"), most)
            try:
                await test(served)
            finally:
                await served.server.close()
                served.close()
            assert not served.faults

        asyncio.run(main())

    return run


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


Serving = Callable[..., None]


def test_one_connection_serves_several_requests(serving: Serving) -> None:
    async def test(served: Served) -> None:
        client = served.connect()
        for _ in range(3):
            assert status_of(await served.say(ASK, client)) == 200
        assert len(served.asked) == 3

    serving(test)


def test_requests_may_come_in_one_piece_and_byte_by_byte(serving: Serving) -> None:
    async def test(served: Served) -> None:
        client = served.connect()
        loop = asyncio.get_running_loop()
        for byte in ASK:
            await loop.sock_sendall(client, bytes([byte]))
            await asyncio.sleep(0)
        assert status_of(await served.say(b"", client)) == 200
        await loop.sock_sendall(client, ASK * 5)
        async with asyncio.timeout(WITHIN):
            while len(served.asked) < 6:
                await loop.sock_recv(client, 1 << 16)

    serving(test)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 100 + b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999999\r\n\r\n{}",
        b"POST /v1/stop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /v1/stop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_garbage_is_answered_and_the_connection_closed(serving: Serving, garbage: bytes) -> None:
    async def test(served: Served) -> None:
        client = served.connect()
        answer = await served.say(garbage, client)
        assert not answer or 400 <= status_of(answer) < 600
        assert not served.asked
        assert status_of(await served.say(ASK)) == 200

    serving(test)


def test_a_head_and_a_body_that_are_too_long_are_refused(serving: Serving) -> None:
    async def test(served: Served) -> None:
        long_head = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * connection.LONGEST_HEAD * 2
        assert status_of(await served.say(long_head)) == 431
        body = b"x" * (connection.LONGEST_BODY + 1)
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        assert status_of(await served.say(head + body)) == 413
        assert not served.asked

    serving(test)


@pytest.mark.parametrize("body", [b"", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"])
def test_a_head_request_is_answered_without_a_body(serving: Serving, body: bytes) -> None:
    async def test(served: Served) -> None:
        head = b"HEAD /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        answer = await served.say(head + (body or b"\r\n"))
        assert status_of(answer) in (200, 400)
        assert answer.endswith(b"\r\n\r\n")

    serving(test)


def test_garbage_after_a_head_request_is_answered_with_a_body(serving: Serving) -> None:
    async def test(served: Served) -> None:
        answer = await served.say(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + b"garbage\r\n\r\n")
        assert answer.count(b"HTTP/1.1 ") == 2
        assert b"not HTTP/1.1" in answer

    serving(test)


def test_who_never_finishes_is_closed_in_time(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ASKING", 0.2)

    async def test(served: Served) -> None:
        assert await served.say(ASK[:-2]) == b""
        assert await served.say(b"") == b""

    serving(test)


def test_who_never_reads_is_closed_in_time(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TAKING", 0.2)

    async def test(served: Served) -> None:
        served.respond = lambda _: Response(body=b"x" * (1 << 24))
        client = served.connect()
        await asyncio.get_running_loop().sock_sendall(client, ASK)
        async with asyncio.timeout(WITHIN):
            while not served.asked or served.server.clients:
                await asyncio.sleep(0)

    serving(test)


def test_hundreds_that_hang_do_not_keep_out_one_that_asks(serving: Serving) -> None:
    async def test(served: Served) -> None:
        hanging = [served.connect() for _ in range(500)]
        for client in hanging:
            with suppress(OSError):
                client.send(ASK[:10])
        assert status_of(await served.say(ASK)) == 200
        assert served.server.clients <= 8
        for client in hanging:
            client.close()

    serving(test)


def test_without_a_descriptor_left_clients_are_turned_away_and_nothing_spins(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ASKING", 0.5)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def test(served: Served) -> None:
        await served.say(ASK)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            loop = asyncio.get_running_loop()
            for client in clients:
                client.setblocking(False)
                await loop.sock_connect(client, served.path)
            async with asyncio.timeout(WITHIN):
                for client in clients:
                    assert await loop.sock_recv(client, 100) == b""
                    client.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert status_of(await served.say(ASK)) == 200

    serving(test, 100)


def test_a_stream_ends_with_its_client(serving: Serving) -> None:
    async def test(served: Served) -> None:
        ended = asyncio.Event()

        async def forever() -> AsyncGenerator[bytes, None]:
            try:
                yield b"first"
                await asyncio.get_running_loop().create_future()
            finally:
                ended.set()

        served.respond = lambda _: Response(body=forever())
        client = served.connect()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, ASK)
        assert b"200" in await loop.sock_recv(client, 1 << 16)
        client.close()
        async with asyncio.timeout(WITHIN):
            await ended.wait()

    serving(test)


def test_one_that_ends_only_his_own_side_is_answered(serving: Serving) -> None:
    async def test(served: Served) -> None:
        client = served.connect()
        await asyncio.get_running_loop().sock_sendall(client, ASK)
        client.shutdown(socket.SHUT_WR)
        assert status_of(await served.say(b"", client)) == 200

    serving(test)


def test_descriptors_come_with_a_request_and_are_closed_when_nobody_takes_them(
    serving: Serving,
) -> None:
    async def test(served: Served) -> None:
        read, write = os.pipe()
        client = served.connect()
        socket.send_fds(client, [ASK], [write])
        os.close(write)
        await served.say(b"", client)
        assert os.read(read, 1) == b""
        os.close(read)

        crowd = served.connect()
        with many_descriptors(7) as many:
            socket.send_fds(crowd, [ASK], many)
        await served.say(b"", crowd)
        assert len(served.asked[-1].descriptors) <= 3

    serving(test)


@contextmanager
def many_descriptors(count: int) -> Iterator[list[int]]:
    found = [os.dup(0) for _ in range(count)]
    yield found
    for descriptor in found:
        os.close(descriptor)


def test_what_was_asked_before_the_end_is_answered(serving: Serving) -> None:
    async def test(served: Served) -> None:
        asked, silent = served.connect(), served.connect()
        asked.send(ASK)
        await served.server.close()
        assert status_of(await served.say(b"", asked)) == 200
        assert await served.say(b"", silent) == b""

    serving(test)


def test_nothing_is_left_of_a_thousand_clients(serving: Serving) -> None:
    async def test(served: Served) -> None:
        first = served.connect()
        await served.say(ASK, first)
        before = len(os.listdir("/proc/self/fd"))
        first.close()
        for _ in range(1000):
            client = served.connect()
            await served.say(ASK, client)
            client.close()
        async with asyncio.timeout(WITHIN):
            while served.server.clients:
                await asyncio.sleep(0)
        assert len(os.listdir("/proc/self/fd")) <= before

    serving(test)
