"""The listening end: accepts, knows who comes, and keeps the number of clients bounded.

The socket is bound before the first member starts; what speaks HTTP on it is imported when the
first client comes, so a group that nobody asks anything pays for neither.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from pairvisor.api.connection import Answer, Connection, Request, Response
from pairvisor.api.peer import Access, Peer

BATCH = 64  # connections accepted in one turn of the loop
PAUSE = 1.0  # seconds without accepting, where there is not one descriptor left
LAST_WORDS = 1.0  # seconds for those that follow to take the last events


class Server:
    """Serves one listening socket, in the loop that runs. `judge` says what a client may do."""

    def __init__(
        self,
        listener: socket.socket,
        answer: Answer,
        judge: Callable[[socket.socket], tuple[Peer, Access]],
        note_fault: Callable[[BaseException], None],
        most: int,
    ) -> None:
        self._listener = listener
        self._answer = answer
        self._judge = judge
        self._note_fault = note_fault
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._turn = asyncio.Lock()
        self._spare = _open_spare()
        listener.setblocking(False)
        self._loop.add_reader(listener, self.accept)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._connections)

    def accept(self) -> None:
        """Take all that have come, up to a batch: supervision has its turn after it."""
        for _ in range(BATCH):
            if len(self._connections) >= self._most and self._make_room():
                return  # its descriptor is free in the next turn
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                # No descriptor to be had. What is left in the queue would wake us for ever.
                self._turn_away()
                return
            self._begin(client)

    def _turn_away(self) -> None:
        """With the one descriptor that is kept for this, take a client only to close it."""
        self._make_room()
        if self._spare >= 0:
            os.close(self._spare)
            with suppress(OSError):
                self._listener.accept()[0].close()
        self._spare = _open_spare()
        if self._spare < 0:
            self._loop.remove_reader(self._listener)
            self._loop.call_later(PAUSE, self._loop.add_reader, self._listener, self.accept)

    def _begin(self, client: socket.socket) -> None:
        if len(self._connections) >= self._most:
            client.close()
            return
        client.setblocking(False)
        try:
            peer, access = self._judge(client)
        except OSError:
            client.close()
            return
        connection = Connection(client, peer, access, self._answer_in_turn)
        task = self._loop.create_task(connection.serve())
        self._connections[task] = connection
        task.add_done_callback(partial(self._over, connection))

    def _make_room(self) -> bool:
        """Close the oldest connection that has asked for nothing yet; whether there was one."""
        for task, connection in self._connections.items():
            if connection.is_idle:
                del self._connections[task]
                task.cancel()
                return True
        return False

    async def _answer_in_turn(self, request: Request) -> Response:
        """One at a time, and one in a turn of the loop; what takes long comes in pieces."""
        async with self._turn:
            await asyncio.sleep(0)
            return await self._answer(request)

    def _over(self, connection: Connection, task: asyncio.Task[None]) -> None:
        connection.close()
        self._connections.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            self._note_fault(error)

    async def close(self) -> None:
        """Answer what has been asked by now, and take no more.

        Those that are being answered have a second to take what is left.
        """
        self.accept()
        self._loop.remove_reader(self._listener)
        for task, connection in list(self._connections.items()):
            connection.is_last_answer = True
            if connection.is_idle and not connection.has_asked():
                task.cancel()
        if self._connections:
            await asyncio.wait(set(self._connections), timeout=LAST_WORDS)
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1


def _open_spare() -> int:
    try:
        return os.open("/", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return -1
