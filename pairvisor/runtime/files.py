"""The small files that a manifest has for its members' programs, in the runtime folder.

Each is replaced at one stroke, and left alone where it is as it should be.
"""

import os
from collections.abc import Iterable

from pairvisor.manifest.group import OF_ALL, File, Group
from pairvisor.runtime.sharing import give

TOP, FOLDER = 0o711, 0o750  # other users' members pass through the first to their own


def make_folders(group: Group) -> None:
    """Raises OSError."""
    top = group.places.files
    folders = [m.name for m in group.members.values() if _own(group, m.name)]
    if group.files:
        folders.append(OF_ALL)
    for folder in [top, *(f"{top}/{name}" for name in folders)] if folders else []:
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            os.chmod(folder, TOP if folder == top else FOLDER)


def write(group: Group) -> None:
    """All of them, and none that was one earlier. Raises OSError."""
    make_folders(group)
    top = group.places.files
    if not os.path.isdir(top):
        return
    _write(group.files, group.places.shared_files, None)
    for member in group.members.values():
        folder = group.places.files_of(member.name)
        _write(_own(group, member.name), folder, member.identity.uid)
    for name in set(os.listdir(top)) - {OF_ALL, *group.members}:
        _write((), f"{top}/{name}", None)


def _own(group: Group, member: str) -> list[File]:
    folder = group.places.files_of(member)
    return [f for f in group.members[member].files if os.path.dirname(f.path) == folder]


def _write(files: Iterable[File], folder: str, uid: int | None) -> None:
    if not os.path.isdir(folder):
        return
    give(folder, uid)
    for file in files:
        if not _is_as(file):
            _replace(file, uid)
    for path in {f"{folder}/{name}" for name in os.listdir(folder)} - {f.path for f in files}:
        os.unlink(path)


def _is_as(file: File) -> bool:
    try:
        with open(file.path, encoding="utf-8", errors="surrogateescape", newline="") as opened:
            mode = os.fstat(opened.fileno()).st_mode & 0o7777
            return mode == file.mode and opened.read() == file.text
    except FileNotFoundError:
        return False


def _replace(file: File, uid: int | None) -> None:
    folder, name = os.path.split(file.path)
    fresh = f"{folder}/.{name}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as opened:
        opened.write(file.text)
        give(descriptor, uid)
        os.fchmod(descriptor, file.mode)
    os.rename(fresh, file.path)
