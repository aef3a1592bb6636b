"""Streams to journald(8), as sd_journal_stream_fd(3) opens them.

A member writes to its own directly. Only where its lines are wanted here, too, they come by us.
"""

import os
import socket

from pairvisor.runtime.logs.lines import Data
from pairvisor.runtime.logs.outlet import FallibleOutlet, Keeper

SOCKET = "/run/systemd/journal/stdout"
INFO = 6  # of syslog(3), as systemd has it for both streams of a service


def connect(identifier: str) -> int:
    """A stream of lines that have this identifier; lines may begin with `<N>`, their priority.

    Raises OSError where there is no journal.
    """
    with socket.socket(socket.AF_UNIX) as stream:
        stream.setblocking(False)  # one that hangs must not hold us up
        stream.connect(SOCKET)
        stream.shutdown(socket.SHUT_RD)
        # Identifier, unit, priority, level prefix, and whether to forward to three others.
        stream.sendall(f"{identifier}\n\n{INFO}\n1\n0\n0\n0\n".encode())
        stream.setblocking(True)
        return stream.detach()


def variable(stream: int) -> str:
    """JOURNAL_STREAM, by which a program knows that its stderr is the journal: systemd.exec(5)."""
    found = os.fstat(stream)
    return f"{found.st_dev}:{found.st_ino}"


class Journal(FallibleOutlet):
    """For lines that come by us."""

    def __init__(self, identifier: str, keeper: Keeper) -> None:
        super().__init__(f"the journal ({identifier})", keeper)
        self._identifier = identifier
        self._stream = -1

    def write(self, data: Data, start: int) -> int:
        try:
            if self._stream < 0:
                self._stream = connect(self._identifier)
                os.set_blocking(self._stream, False)
            taken = os.write(self._stream, memoryview(data)[start:])
        except BlockingIOError:
            self._watch(self._stream)
            return 0
        except OSError as error:
            self.close()
            return self._failed(error)
        self._works()
        return taken

    def close(self) -> None:
        super().close()
        if self._stream >= 0:
            os.close(self._stream)
            self._stream = -1
