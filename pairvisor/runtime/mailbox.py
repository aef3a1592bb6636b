"""sd_notify(3), the receiving side: one datagram socket for each member that is to speak.

A new run of the member gets a new socket, so a word of the last one can't be taken for its own.
"""

import asyncio
import os
import socket

from pairvisor.runtime.sharing import give

MESSAGE = 4096  # bytes; a longer one is cut, as systemd does


class Mailbox:
    """What one run of a member has said: `ready` since its start, `alive` since last asked."""

    def __init__(self, listener: socket.socket) -> None:
        self.ready = asyncio.Event()
        self.alive = asyncio.Event()
        self._socket = listener
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def fileno(self) -> int:
        return self._socket.fileno()

    def _receive(self) -> None:
        try:
            message = self._socket.recv(MESSAGE)
        except OSError:
            return
        for line in message.decode(errors="replace").splitlines():
            key, _, value = line.partition("=")
            self._said(key, value)

    def _said(self, key: str, value: str) -> None:
        """Other words (STATUS, RELOADING, STOPPING, MAINPID, BARRIER …) change nothing here."""
        if key == "READY" and value == "1":
            self.ready.set()
        elif key == "WATCHDOG" and value == "1":
            self.alive.set()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


def bind(path: str, uid: int | None) -> socket.socket:
    """For a mailbox at `path`, which is to be that user's. Raises OSError."""
    if os.path.lexists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.setblocking(False)
    try:
        listener.bind(path)
        give(path, uid)
    except OSError:
        listener.close()
        raise
    return listener
