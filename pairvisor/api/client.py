"""What the command line asks a running group with: HTTP/1.1 on the group's control socket.

It blocks, and each request has a connection of its own: a command asks once or twice, and a
connection to a Unix socket costs microseconds. h11 speaks the protocol, this moves the bytes
(`Exchange`) and turns the answers into the documents of `pairvisor.record` (`Client`).

A request has a time limit as a whole, so that a supervisor that hangs is noticed. What is followed
has none once it has begun: nothing may happen to a group for months.
"""

import os
import socket
import struct
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from math import inf
from time import monotonic
from typing import TypeVar
from urllib.parse import urlencode

import h11
import msgspec

from pairvisor.api.patience import await_readable
from pairvisor.record.model import (
    Answer,
    Dropped,
    Event,
    Executed,
    Failure,
    LogLine,
    Reload,
    Status,
    Timeline,
    Why,
)

LONGEST_PATH = 107  # bytes: sun_path of unix(7), less its terminating NUL
PIECE = 1 << 16  # bytes read at once
PATIENCE = 10.0  # seconds; an answer takes milliseconds

Value = str | int | Sequence[str] | None
Document = TypeVar("Document")


class ControlError(Exception):
    """What was asked for was not done; the text says why."""


class NotRunningError(ControlError):
    """Nobody listens there."""


class NotPermittedError(ControlError):
    """The socket, or the group behind it, does not let this user in."""


class NoAnswerError(ControlError):
    """Somebody listens, but did not answer in time, or not as this version understands."""


class TimedOutError(NoAnswerError):
    """The time for it is over."""


class LostError(NoAnswerError):
    """The supervisor ended in the middle of its answer."""


class RefusedError(ControlError):
    """The group said no."""

    def __init__(self, status: int, failure: Failure) -> None:
        super().__init__(failure.error)
        self.status = status
        self.failure = failure


class Exchange:
    """One request and its answer, on a connection of its own. Raises the errors above."""

    def __init__(self, path: str, timeout: float) -> None:
        self._deadline = monotonic() + timeout
        self._timeout = timeout
        self._is_patient = False  # it may take long, and somebody may tire of it
        self._protocol = h11.Connection(h11.CLIENT)
        self._came: deque[object] = deque()
        with _in_words(timeout):
            self._socket = _connect(path, timeout)

    def fileno(self) -> int:
        """To wait for the answer together with something else."""
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def wait(self, within: float = inf) -> None:
        """What comes from here on has other limits."""
        self._timeout = within
        self._deadline = monotonic() + within
        self._is_patient = True

    def send(
        self, method: str, target: str, body: bytes = b"", descriptors: Sequence[int] = ()
    ) -> None:
        """The whole request; the descriptors go with its first byte (unix(7), SCM_RIGHTS)."""
        headers = [("Host", "pairvisor"), ("Connection", "close")]
        if method == "POST":
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        request = h11.Request(method=method, target=target, headers=headers)
        data = self._encoded(request, h11.Data(data=body), h11.EndOfMessage())
        # Whoever is refused is so before the request is read: the answer says it, not the pipe.
        with _in_words(self._timeout), suppress(BrokenPipeError, ConnectionResetError):
            self._set_timeout()
            sent = socket.send_fds(self._socket, [data], descriptors) if descriptors else 0
            self._socket.sendall(data[sent:])

    def _encoded(self, *events: h11.Event) -> bytes:
        return b"".join(self._protocol.send(event) or b"" for event in events)

    def advance(self) -> bool:
        """Take what has come, where something has; whether that was the last of the answer."""
        with _in_words(self._timeout):
            self._protocol.receive_data(self._read())
            while (event := self._protocol.next_event()) is not h11.NEED_DATA:
                self._came.append(event)
                if not isinstance(event, h11.Response | h11.Data):
                    return True
        return False

    def answer(self) -> Iterator[bytes]:
        """The body, as it comes, once it is known to be what was asked for."""
        with _in_words(self._timeout):
            head = self._next()
        if not isinstance(head, h11.Response):
            raise LostError(_LOST)
        if head.status_code != 200:
            raise _refusal(head.status_code, b"".join(self._body()))
        return self._body()

    def _body(self) -> Iterator[bytes]:
        with _in_words(self._timeout):
            while isinstance(event := self._next(), h11.Data):
                yield bytes(event.data)

    def _next(self) -> object:
        if self._came:
            return self._came.popleft()
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(self._read())
        return event

    def _read(self) -> bytes:
        try:
            if self._is_patient:
                return self._read_late()
            self._set_timeout()
            return self._socket.recv(PIECE)
        except ConnectionResetError:  # closed with the request unread; the answer came before that
            return b""

    def _read_late(self) -> bytes:
        self._socket.settimeout(None)
        while True:
            try:
                return self._socket.recv(PIECE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                await_readable(self._socket.fileno(), self._deadline)

    def _set_timeout(self) -> None:
        # Zero would mean: without waiting, which fails in another way.
        self._socket.settimeout(max(self._deadline - monotonic(), 0.001))


class Client:
    """Asks the group whose control socket is at `path`. Raises the errors above."""

    def __init__(self, path: str, timeout: float = PATIENCE) -> None:
        self.path = path
        self._timeout = timeout

    def status(self) -> Status:
        return _decoded(self.get("/v1/status"), Status)

    def events(self, since: int | None = None, n: int | None = None) -> list[Event]:
        """Those later than the id `since`; the last `n` of them."""
        return _decoded(self.get("/v1/events", since=since, n=n), list[Event])

    def logs(
        self,
        members: Sequence[str] = (),
        n: int | None = None,
        since: str | None = None,
        *,
        previous: bool = False,
    ) -> list[LogLine]:
        """`since` is a time of RFC 3339."""
        wanted: dict[str, Value] = {"member": members, "n": n, "since": since}
        return _decoded(self.get("/v1/logs", **wanted, previous=previous or None), list[LogLine])

    def why(self, member: str | None = None) -> Why:
        return _decoded(self.get("/v1/why", member=member), Why)

    def timeline(self) -> Timeline:
        return _decoded(self.get("/v1/timeline"), Timeline)

    def metrics(self) -> bytes:
        return self.get("/v1/metrics")

    def start(self, members: Sequence[str] = ()) -> Answer:
        return _decoded(self.post("/v1/start", {"members": members}), Answer)

    def stop(self, members: Sequence[str] = ()) -> Answer:
        return _decoded(self.post("/v1/stop", {"members": members}), Answer)

    def restart(self, members: Sequence[str] = ()) -> Answer:
        return _decoded(self.post("/v1/restart", {"members": members}), Answer)

    def signal(self, member: str, signal: str) -> Answer:
        return _decoded(self.post("/v1/signal", {"member": member, "signal": signal}), Answer)

    def reexec(self) -> Answer:
        """Only asks for it: the connection would not outlive it."""
        return _decoded(self.post("/v1/reexec", {}), Answer)

    def reload(self, *, dry_run: bool = False) -> Reload:
        return _decoded(self.post("/v1/reload", {"dry_run": dry_run}), Reload)

    def follow_events(
        self, since: int | None = None, n: int | None = None, within: float = inf
    ) -> Generator[Event]:
        """As `events`, and then what comes, to the end of the group."""
        with closing(self.follow("/v1/events", within, since=since, n=n)) as stream:
            for _, data in stream:
                yield _decoded(data, Event)

    def follow_logs(
        self,
        members: Sequence[str] = (),
        n: int | None = None,
        since: str | None = None,
        *,
        previous: bool = False,
    ) -> Generator[LogLine | Dropped]:
        """As `logs`, and then what comes, to the end of the group."""
        wanted: dict[str, Value] = {"member": members, "n": n, "since": since}
        with closing(self._follow("/v1/logs", wanted | {"previous": previous or None})) as stream:
            for name, data in stream:
                if name == "dropped":
                    yield _decoded(data, Dropped)
                else:
                    yield _decoded(data, LogLine)

    def get(self, route: str, **query: Value) -> bytes:
        with closing(self._exchange()) as exchange:
            exchange.send("GET", _target(route, query))
            return b"".join(exchange.answer())

    def post(self, route: str, body: object) -> bytes:
        with closing(self._exchange()) as exchange:
            exchange.send("POST", route, msgspec.json.encode(body))
            return b"".join(exchange.answer())

    def follow(
        self, route: str, within: float = inf, **query: Value
    ) -> Generator[tuple[str, bytes]]:
        """Server-sent events: the name and the data of each, until the group ends.

        Raises TimedOutError after so many seconds in all.
        """
        yield from self._follow(route, query, within)

    def _follow(
        self, route: str, query: dict[str, Value], within: float = inf
    ) -> Generator[tuple[str, bytes]]:
        with closing(self._exchange()) as exchange:
            exchange.send("GET", _target(route, query | {"follow": True}))
            body = exchange.answer()
            exchange.wait(within)
            yield from server_sent_events(body)

    def exec(
        self,
        member: str,
        command: Sequence[str],
        *,
        terminal: bool = False,
        env: dict[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> Exchange:
        """Begin it. The answer comes when the command has ended, however late; then close."""
        body = {"member": member, "command": command, "terminal": terminal, "env": env or {}}
        exchange = self._exchange()
        exchange.send("POST", "/v1/exec", msgspec.json.encode(body), descriptors)
        exchange.wait()
        return exchange

    def executed(self, exchange: Exchange) -> Executed:
        """How it ended: the answer, once it is there."""
        return _decoded(b"".join(exchange.answer()), Executed)

    def _exchange(self) -> Exchange:
        return Exchange(self.path, self._timeout)


def listens(path: str, timeout: float = 1.0) -> bool:
    """Whether somebody does there. Raises NotPermittedError where that can't be told."""
    try:
        Exchange(path, timeout).close()
    except NotRunningError:
        return False
    except NoAnswerError:  # many others wait there
        return True
    return True


def server_sent_events(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """As the HTML standard has them; lines end with LF, and a line of data is a whole one."""
    rest, name, data = b"", "message", b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            field, _, value = line.partition(b":")
            match field:
                case b"event":
                    name = value.strip().decode()
                case b"data":
                    data = value.strip()
                case b"" if not line and data:
                    yield name, data
                    name, data = "message", b""
                case _:  # an id, which the data has, too; a comment, which keeps the line alive
                    pass


_LOST = "the group's supervisor ended before it had answered"


def _connect(path: str, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        # Where many wait to be accepted, only a connect that may block is kept in the queue, and
        # this is what limits it (socket(7)); Python's own time-out makes the socket non-blocking.
        limit = struct.pack("ll", *divmod(int(max(timeout, 0.001) * 1e6), 1_000_000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        _connect_by_any_length(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_by_any_length(connection: socket.socket, path: str) -> None:
    if len(os.fsencode(path)) <= LONGEST_PATH:
        connection.connect(path)
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)


@contextmanager
def _in_words(timeout: float) -> Iterator[None]:
    """What can go wrong on the way, as an error of ours."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise NotRunningError("no such group is running") from None
    except PermissionError:
        raise NotPermittedError("this user may not use the group's control socket") from None
    except (TimeoutError, BlockingIOError):
        raise TimedOutError(
            f"the group's supervisor does not answer within {timeout:g} s"
        ) from None
    except (OSError, h11.ProtocolError) as error:
        raise LostError(f"{_LOST} ({error})") from None


def _refusal(status: int, body: bytes) -> ControlError:
    try:
        failure = msgspec.json.decode(body, type=Failure)
    except msgspec.MsgspecError:
        failure = Failure(error=f"the group's supervisor answered with HTTP status {status}")
    if status == 403:
        return NotPermittedError(failure.error)
    return RefusedError(status, failure)


def _target(route: str, query: dict[str, Value]) -> str:
    """`None` is left out, a list is a parameter for each of its values."""
    given = {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in query.items()
        if value is not None
    }
    return f"{route}?{urlencode(given, doseq=True)}" if given else route


def _decoded(data: bytes, type_: type[Document]) -> Document:
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.MsgspecError as error:
        raise NoAnswerError(
            f"the group's supervisor is of another version than this command: {error}"
        ) from None
