"""What members of different users share: access control lists (acl(5)) let in each of them, and
nobody else, whatever umask they have; a Unix group would let in all that are in it.
"""

import errno
import os
import struct
from collections.abc import Iterable

from pairvisor.manifest.group import Group, Member
from pairvisor.runtime import trial
from pairvisor.runtime.folders import PASSABLE, PRIVATE, SHARED

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
VERSION = 2  # linux/posix_acl_xattr.h
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32
NOBODY = 0xFFFFFFFF
ALL, READ, PASS = 7, 5, 1


class SharingError(Exception):
    """Why members of different users can't share."""


def users(group: Group) -> list[int]:
    """Those of members that are not ours."""
    ours = os.geteuid()
    uids = {member.identity.uid for member in group.members.values()}
    return sorted(uid for uid in uids if uid is not None and uid != ours)


def give(target: str | int, uid: int | None) -> None:
    """Make it the user's own. Raises OSError."""
    if uid is not None:
        os.chown(target, uid, -1)


def share(group: Group) -> None:
    """Let the members' users pass through the runtime folder, and use what is shared in it.
    Raises SharingError."""
    uids = users(group)
    if not uids:
        return
    places = group.places
    passed = {places.run: PASSABLE, places.notify: PRIVATE}
    if any(volume.keep for volume in group.volumes.values()):
        passed |= {places.state: PRIVATE, places.kept: PRIVATE}
    try:
        for folder, mode in passed.items():
            os.setxattr(folder, ACCESS, _acl(mode, uids, PASS))
        for folder, (mode, rights) in _shared(group).items():
            os.setxattr(folder, ACCESS, _acl(mode, uids, rights))
            os.setxattr(folder, DEFAULT, _acl(mode, uids, rights))
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        raise SharingError(
            f"members of different users can't share {folder}: its file system has no access "
            "control lists (mount it with them, or run all members as one user)"
        ) from None
    for member in group.members.values():
        _check_way(member, (places.sockets, *(v.path for v in group.volumes.values())))


def _shared(group: Group) -> dict[str, tuple[int, int]]:
    """Folders, with their mode, and with the rights that each user gets to what is in them."""
    places = group.places
    shared = {places.sockets: (SHARED, ALL), places.volume: (SHARED, ALL)}
    if group.files:
        shared[places.shared_files] = (PASSABLE, READ)
    return shared | {volume.path: (volume.mode, ALL) for volume in group.volumes.values()}


def _check_way(member: Member, folders: Iterable[str]) -> None:
    """Above our own folders, other users may have to stay out."""
    who = trial.subject(member.identity)
    for folder in folders:
        try:
            trial.check_folder(folder, who)
        except PermissionError as error:
            raise SharingError(
                f"{member.name}, as user {who.uid}, can't come to {folder}: {error.filename} is "
                "shut to it (set XDG_RUNTIME_DIR, for a kept volume XDG_STATE_HOME, to a folder "
                "that all of its users can pass through, or unset it)"
            ) from None


def _acl(mode: int, uids: Iterable[int], rights: int) -> bytes:
    """In the kernel's form: a version, then a tag, rights and an id for each entry, in order."""
    group = mode >> 3 & 7
    entries = [
        (USER_OBJ, mode >> 6 & 7, NOBODY),
        *((USER, rights, uid) for uid in uids),
        (GROUP_OBJ, group, NOBODY),
        (MASK, group | rights, NOBODY),
        (OTHER, mode & 7, NOBODY),
    ]
    return struct.pack("<I", VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
