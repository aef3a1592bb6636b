"""Who is at the other end of a control connection, and what he may do."""

import socket
import struct
from enum import IntEnum

from msgspec import Struct

from pairvisor.manifest.group import ControlGroup
from pairvisor.record.model import Caller

CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid
SO_PEERGROUPS = 59  # linux/asm-generic/socket.h, since 4.13; `socket` has no name for it
MOST_GROUPS = 65536  # NGROUPS_MAX


class Access(IntEnum):
    """What a peer may do; each includes those before it."""

    NONE = 0
    READ = 1
    FULL = 2


class Peer(Struct, frozen=True):
    """The process that connected, and all groups that it was in."""

    caller: Caller
    groups: frozenset[int]


def peer_of(connection: socket.socket) -> Peer:
    """As the kernel noted it at connect(2) (SO_PEERCRED, SO_PEERGROUPS). Raises OSError."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, gid = CREDENTIALS.unpack(credentials)
    return Peer(Caller(uid=uid, gid=gid, pid=pid), frozenset({gid, *_groups(connection)}))


def _groups(connection: socket.socket) -> tuple[int, ...]:
    try:
        found = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 1024)
    except OSError:  # ERANGE: he is in very many
        found = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * MOST_GROUPS)
    return struct.unpack(f"{len(found) // 4}I", found)


def access(peer: Peer, owner: int, control_group: ControlGroup | None) -> Access:
    """uid 0 and the supervisor's own may do all; a control group what the manifest grants it."""
    if peer.caller.uid in (0, owner):
        return Access.FULL
    if control_group is None or control_group.gid not in peer.groups:
        return Access.NONE
    return Access.FULL if control_group.access == "full" else Access.READ
