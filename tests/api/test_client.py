"""The client, against a server that says what a test wants it to say."""

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pairvisor.api.client import (
    Client,
    NoAnswerError,
    NotPermittedError,
    NotRunningError,
    RefusedError,
    TimedOutError,
    listens,
    server_sent_events,
)

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


class Server:
    """Answers one connection after the other with these bytes, and keeps what it was sent."""

    def __init__(self, path: Path, *answers: bytes, reads: bool = True) -> None:
        self.asked: list[bytes] = []
        self.descriptors: list[int] = []
        self._answers = answers
        self._reads = reads
        self.listening = socket.socket(socket.AF_UNIX)
        folder = os.open(path.parent, os.O_PATH)
        self.listening.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
        self.listening.listen(0)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            with self.listening.accept()[0] as peer:
                if self._reads:
                    data, found, _, _ = socket.recv_fds(peer, 1 << 16, 8)
                    self.asked.append(data)
                    self.descriptors += found
                with suppress(OSError):
                    peer.sendall(answer)


@contextmanager
def serving(*answers: bytes, folder: str = "", reads: bool = True) -> Iterator[tuple[Server, str]]:
    with tempfile.TemporaryDirectory(prefix="pv") as top:
        path = Path(top, folder, "control.sock")
        path.parent.mkdir(parents=True, exist_ok=True)
        server = Server(path, *answers, reads=reads)
        try:
            yield server, str(path)
        finally:
            server.thread.join(10)
            server.listening.close()
            for descriptor in server.descriptors:
                os.close(descriptor)


def test_what_it_asks() -> None:
    with serving(OK + b"a", OK + b'{"text":"stopped","event":7}') as (server, path):
        client = Client(path)
        assert client.get("/v1/logs", member=["a b", "c"], n=5, since=None, previous=True) == b"a"
        assert client.stop(["web"]).event == 7
    first, second = server.asked
    assert first.startswith(b"GET /v1/logs?member=a+b&member=c&n=5&previous=true HTTP/1.1\r\n")
    assert second.startswith(b"POST /v1/stop HTTP/1.1\r\n")
    assert second.endswith(b'\r\n\r\n{"members":["web"]}')


def test_descriptors_go_with_the_request() -> None:
    read, write = os.pipe()
    with serving(OK + b"{}") as (server, path):
        exchange = Client(path).exec("web", ["ls"], descriptors=[write])
        assert b"".join(exchange.answer()) == b"{}"
        exchange.close()
        os.write(server.descriptors[0], b"there")
        assert os.read(read, 10) == b"there"
    os.close(read)
    os.close(write)


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "none" / "control.sock", tmp_path / "control.sock"):
        with pytest.raises(NotRunningError):
            Client(str(path)).get("/v1/status")
    with socket.socket(socket.AF_UNIX) as stale:
        monkeypatch.chdir(tmp_path)
        stale.bind("control.sock")
    with pytest.raises(NotRunningError):
        Client(str(tmp_path / "control.sock")).get("/v1/status")


def test_whether_somebody_listens() -> None:
    with serving(b"") as (server, path):
        assert listens(path)
        server.thread.join(10)
        server.listening.close()
        assert not listens(path)


def test_a_long_path() -> None:
    with serving(OK + b"a", folder=f"{'f' * 100}/{'g' * 100}") as (_, path):
        assert Client(path).get("/v1/status") == b"a"


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (b'HTTP/1.1 403 No\r\n\r\n{"error":"not you"}', NotPermittedError, "^not you$"),
        (b'HTTP/1.1 409 Conflict\r\n\r\n{"error":"it stops"}', RefusedError, "^it stops$"),
        (b"HTTP/1.1 500 Oh\r\n\r\n<html>", RefusedError, "HTTP status 500"),
        (OK + b'{"group":5}', NoAnswerError, "of another version"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", NoAnswerError, "ended before it had answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", NoAnswerError, "ended before"),
        (b"", NoAnswerError, "ended before"),
    ],
)
def test_errors(answer: bytes, error: type[Exception], said: str) -> None:
    with serving(answer) as (_, path), pytest.raises(error, match=said):
        Client(path).status()


def test_one_that_is_refused_before_it_is_heard() -> None:
    """The server closes with the request unread, which breaks the pipe that it came by."""
    answer = b'HTTP/1.1 403 Forbidden\r\n\r\n{"error":"not you"}'
    with serving(answer, reads=False) as (_, path), pytest.raises(NotPermittedError, match="you"):
        Client(path).post("/v1/stop", {"members": ["x" * (1 << 20)]})


def test_a_server_that_hangs() -> None:
    with serving() as (_, path), pytest.raises(NoAnswerError, match=r"not answer within 0\.2 s"):
        Client(path, timeout=0.2).status()


def test_a_queue_that_is_full() -> None:
    """One waits to be accepted, and the backlog holds no more."""
    with serving() as (_, path), socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(path)
        with pytest.raises(NoAnswerError, match=r"not answer within 0\.2 s"):
            Client(path, timeout=0.2).status()


def test_what_is_followed_comes_in_pieces() -> None:
    pieces = [
        b": hello\n\nid: 1\nevent: a",
        b"\ndata: {1}\n",
        b"\ndata:x\n\nevent: c\n\n",
        b"data: ",
    ]
    assert list(server_sent_events(pieces)) == [("a", b"{1}"), ("message", b"x")]


def test_following_ends_with_the_group() -> None:
    body = b'event: reloaded\ndata: {"id":1,"at":"","kind":"reloaded","text":"a"}\n\n'
    with serving(OK + body) as (server, path):
        assert [event.text for event in Client(path).follow_events(since=0)] == ["a"]
    assert server.asked[0].startswith(b"GET /v1/events?since=0&follow=true HTTP/1.1\r\n")


def test_following_may_have_a_limit() -> None:
    """What has come until then is not lost."""
    with tempfile.TemporaryDirectory(prefix="pv") as folder, socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{folder}/control.sock")
        one.listen()
        events = Client(f"{folder}/control.sock").follow("/v1/events", within=0.3)
        peers: list[socket.socket] = []

        def answer() -> None:
            peers.append(one.accept()[0])
            peers[0].sendall(OK + b"data: a\n\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert next(events) == ("message", b"a")
        with pytest.raises(TimedOutError, match=r"within 0\.3 s"):
            next(events)
        thread.join(10)
        peers[0].close()
