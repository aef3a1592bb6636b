"""To journald(8), in its native protocol: an entry with fields for each line, and for each event.

An entry is a datagram of fields, `NAME=value` and a newline each (systemd's
JOURNAL_NATIVE_PROTOCOL). A member's line has the identifier GROUP/MEMBER, an event `pairvisor`.
"""

import os
import re
import socket
from collections.abc import Iterator, Mapping

from pairvisor.runtime.logs.lines import Data, Lines
from pairvisor.runtime.logs.outlet import Account, FallibleOutlet, Keeper

SOCKET = "/run/systemd/journal/socket"
INFO = 6  # of syslog(3), as systemd has it for both streams of a service
LONGEST = 48 << 10  # bytes of a message: what is longer are several, as journald(8) has it
OWN_WORDS = 1 << 20  # bytes of our own that may wait
_PRIORITY = re.compile(rb"<([0-7])>")  # sd-daemon(3)


class Journal(FallibleOutlet):
    """One group's. Each of what it is given is one entry."""

    def __init__(self, group: str, keeper: Keeper) -> None:
        super().__init__("the journal", keeper)
        self._group = group
        self._socket: socket.socket | None = None
        self._own = Account("", OWN_WORDS, drops=True)

    def lines(self, lines: Lines) -> Iterator[Data]:
        about = {
            "SYSLOG_IDENTIFIER": f"{self._group}/{lines.member}",
            "GROUP": self._group,
            "MEMBER": lines.member,
            "STREAM": lines.stream,
            "RUN": lines.run,
        }
        end = _fields(about)
        for line in lines.text.removesuffix(b"\n").split(b"\n"):
            found = _PRIORITY.match(line)
            priority = int(found[1]) if found else INFO
            message = line[found.end() :] if found else line
            for start in range(0, max(len(message), 1), LONGEST):
                part = message[start : start + LONGEST]
                yield b"PRIORITY=%d\nMESSAGE=%b\n%b" % (priority, part, end)

    def note(self, fields: Mapping[str, object]) -> None:
        """An entry of the supervisor's own. More than may wait are lost."""
        if not self.refuses(self._own):
            about = {"SYSLOG_IDENTIFIER": "pairvisor", "GROUP": self._group, **fields}
            self.put(self._own, _fields(about))

    def lines_in(self, data: Data) -> int:
        return 1

    def tell_lost(self, account: Account) -> None:
        """Of our own there is nobody to be told."""
        if account is not self._own:
            super().tell_lost(account)

    def write(self, data: Data, start: int) -> int:
        try:
            self._connected().send(data)
        except BlockingIOError:
            self._watch(self._connected().fileno())
            return 0
        except OSError as error:
            self.close()
            return self._failed(error)
        self._works()
        return len(data)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)  # one that hangs must not hold us up
            self._socket.connect(SOCKET)
        return self._socket

    def close(self) -> None:
        super().close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _fields(fields: Mapping[str, object]) -> bytes:
    """A newline in a value would begin another field."""
    return "".join(
        f"{name}={str(value).replace(chr(10), ' ')}\n" for name, value in fields.items()
    ).encode(errors="replace")


def is_ours(environ: Mapping[str, str], descriptor: int) -> bool:
    """Whether what is written to the descriptor goes to the journal: JOURNAL_STREAM of
    systemd.exec(5)."""
    found = os.fstat(descriptor)
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
