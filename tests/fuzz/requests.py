"""`python -m tests.fuzz.requests [libFuzzer's options]`: any bytes on a connection, by atheris.

The real server with the real routes; the group behind it is a stand-in that has two members, so
that thousands of requests a second reach the code that reads them.
"""

import sys

import atheris

with atheris.instrument_imports():
    import asyncio
    import os
    import socket
    from typing import Any

    import h11  # noqa: F401 - instrumented, too

    from pairvisor.api.application import Application
    from pairvisor.api.connection import Connection
    from pairvisor.api.peer import Access, peer_of
    from pairvisor.record import model
    from pairvisor.runtime.bell import Bell
    from pairvisor.runtime.control import NoSuchMemberError
    from pairvisor.runtime.rings import Rings
    from tests.documents import status

ANSWER = model.Answer(text="done", event=1)
STATUS = status(group="test")


class History:
    """Of nothing."""

    last_id = 0

    def since(self, number: int) -> list[model.Event]:
        return []


class Records:
    """Takes no refusal, and no fault at all."""

    history = History()

    def refused(self, by: model.Caller) -> None:
        pass

    def fault(self, what: str) -> None:
        raise AssertionError(what)


class StandIn:
    """A group that can be asked and does nothing."""

    is_over = True

    def __init__(self) -> None:
        self.bell = Bell()
        self.records = Records()
        self.rings = Rings(["web", "tls"])

    def members_named(self, names: list[str]) -> list[str]:
        if set(names) - {"web", "tls"}:
            raise NoSuchMemberError("no such member")
        return names

    def check_room(self) -> None:
        pass

    def following(self) -> Any:
        return memoryview(b"")  # a context manager of no consequence

    def status(self) -> model.Status:
        return STATUS

    def timeline(self) -> model.Timeline:
        return model.Timeline(group="test", round=1, at="", took=None, bars=[])

    def why(self, member: str | None) -> model.Why:
        return model.Why(text="", events=[])

    def start(self, names: list[str], by: model.Caller) -> model.Answer:
        self.members_named(names)
        return ANSWER

    stop = restart = start

    def signal(self, name: str, number: int, by: model.Caller) -> model.Answer:
        return ANSWER

    async def execute(self, asked: object, sent: list[int]) -> model.Executed:
        for descriptor in sent:
            os.close(descriptor)
        return model.Executed(status=0)

    def reload(self, by: model.Caller, *, dry_run: bool) -> model.Answer:
        return ANSWER


LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)


async def serve(data: bytes) -> None:
    """A client that sends that, ends its side, and takes whatever comes."""
    theirs, ours = socket.socketpair()
    theirs.setblocking(False)
    ours.setblocking(False)
    application = Application(StandIn())  # type: ignore[arg-type]
    connection = Connection(ours, peer_of(ours), Access.FULL, application.answer)
    serving = LOOP.create_task(connection.serve())
    serving.add_done_callback(lambda _: connection.close())
    await LOOP.sock_sendall(theirs, data)
    theirs.shutdown(socket.SHUT_WR)
    while await LOOP.sock_recv(theirs, 1 << 16):
        pass
    theirs.close()
    await serving


def test_one(data: bytes) -> None:
    LOOP.run_until_complete(serve(data[: 1 << 16]))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
