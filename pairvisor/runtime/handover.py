"""What a supervisor leaves to the one that takes its place in the same process, by exec(2): see
`reexec`. As data, in a memfd whose first line says which version of this module wrote it.

Of descriptors there are the numbers. Times are on the monotonic clock, which goes on.
"""

import os

import msgspec
from msgspec import Struct

from pairvisor import __version__
from pairvisor.core.state import GroupState
from pairvisor.manifest.group import Group
from pairvisor.record.journal import Notes
from pairvisor.runtime.children import Offspring
from pairvisor.runtime.containment import Contained
from pairvisor.runtime.logs.pump import Output
from pairvisor.runtime.manager import Told
from pairvisor.runtime.prober import Due
from pairvisor.runtime.supervisor import Start
from pairvisor.runtime.tasks import Mail

# To be raised whenever anything below, or in what it refers to, is another: a test holds it.
VERSION = 2
MAGIC = "pairvisor-handover"
TAKES_OVER = "pairvisor takes over"  # what a program says that has looked at it, and can


class HandoverError(Exception):
    """Why nothing can be taken over."""


class Handover(Struct, frozen=True, kw_only=True):
    """All of it."""

    start: Start
    manifest: str
    group: Group
    state: GroupState
    lost: float
    interrupts: int
    lock: int
    folder: int
    control: int
    guard: int
    request: int  # the event's id
    version: str
    offspring: Offspring
    contained: Contained
    secrets: dict[str, bytes]
    secret_words: list[str]
    output: Output
    readers: dict[str, int]
    mail: list[Mail]
    matched: list[str]
    due: list[Due]
    notes: Notes
    troubles: dict[str, str]
    unmet: list[str]
    lost_lines: dict[str, int]
    told: Told

    def descriptors(self) -> list[int]:
        """All that have to stay open."""
        found = [self.lock, self.folder, self.control, self.guard]
        found += [process.report for process in self.offspring.processes]
        found += [pipe.descriptor for pipe in self.output.pipes]
        found += [reading.pipe for reading in self.output.readings]
        found += [mail.descriptor for mail in self.mail]
        return [descriptor for descriptor in found if descriptor >= 0]


def write(handover: Handover) -> int:
    """A memfd, which a child does not inherit."""
    head = f"{MAGIC} {VERSION} {__version__}\n".encode()
    descriptor = os.memfd_create(MAGIC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(head + msgspec.msgpack.encode(handover, enc_hook=_plain))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _plain(value: object) -> object:
    """The manifest's durations, sizes and the like are numbers that know how they are written."""
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"{type(value)} can't be handed over")


def read(descriptor: int) -> Handover:
    """Raises HandoverError."""
    data = b""
    while piece := os.pread(descriptor, os.fstat(descriptor).st_size, len(data)):
        data += piece
    head, _, body = data.partition(b"\n")
    match head.decode(errors="replace").split(" "):
        case [magic, version, _] if magic == MAGIC and version == str(VERSION):
            pass
        case [magic, version, whose] if magic == MAGIC:
            raise HandoverError(
                f"pairvisor {__version__} takes over version {VERSION} of the state, and "
                f"pairvisor {whose} hands over version {version}: restart the group instead"
            )
        case _:
            raise HandoverError("nobody has handed anything over")
    try:
        return msgspec.msgpack.decode(body, type=Handover)
    except (msgspec.MsgspecError, ValueError) as error:
        raise HandoverError(f"what was handed over can't be understood: {error}") from None
