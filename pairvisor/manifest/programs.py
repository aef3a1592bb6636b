"""Finds the program that a command names and says why it can't run, before anything is started.

Only looks: the kernel has the last word when the member is spawned, and files may change.
"""

import os
import stat

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LONGEST_SHEBANG = 256  # bytes: BINPRM_BUF_SIZE of linux/binfmts.h
_TEXT = frozenset(range(32, 127)) | {9, 10, 13}


class ProgramError(Exception):
    """Why a program can't run. `str()` is `cannot run "x": reason (what to do)`."""


def find_program(word: str, folder: str, path: str | None) -> str:
    """The absolute path of what a command's first word runs, or raise ProgramError.

    A word with a slash is relative to `folder`; any other is looked up in `path`, the PATH
    variable of the member, whose own relative entries are relative to `folder` too.
    """
    found = locate(word, folder, path)
    reason = _why_not(found, folder, path)
    if reason:
        where = "" if "/" in word else f" ({found})"
        raise ProgramError(f'cannot run "{word}"{where}: {reason}')
    return found


def locate(word: str, folder: str, path: str | None) -> str:
    """As `find_program`, but whether what is there can run is for the kernel to say."""
    if "/" in word:
        return os.path.join(folder, word.removeprefix("./"))
    return _in_path(word, folder, DEFAULT_PATH if path is None else path)


def _in_path(word: str, folder: str, path: str) -> str:
    unusable = ""
    for entry in path.split(":"):
        candidate = os.path.join(folder, entry, word)
        if os.path.isfile(candidate):
            if os.access(candidate, os.X_OK):
                return candidate
            unusable = unusable or candidate
    if unusable:
        return unusable
    raise ProgramError(
        f'cannot run "{word}": not found in PATH ({_shortened(path)}){_nearby(word, folder)}'
    )


def _shortened(path: str) -> str:
    return path if len(path) <= 120 else path[:119] + "…"


def _nearby(word: str, folder: str) -> str:
    name, equals, value = word.partition("=")
    if equals and name.isidentifier():
        return f'; no shell runs, so set variables by env = {{ {name} = "{value}" }}'
    if os.path.isfile(os.path.join(folder, word)):
        return f'; the one in {folder} would be "./{word}"'
    return ""


def _why_not(file: str, folder: str, path: str | None) -> str:
    """The reason why a file can't be executed, or an empty text."""
    try:
        status = os.stat(file)
    except OSError as error:
        return _why_no_status(file, error)
    if stat.S_ISDIR(status.st_mode):
        return "it is a folder"
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if not status.st_mode & 0o111:
        return f"it has no execute permission (chmod +x {file})"
    if not os.access(file, os.X_OK):
        return "this user may not execute it (see its mode, its folders' and noexec mounts)"
    return _why_not_format(file, folder, path)


def _why_no_status(file: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        if os.path.islink(file):
            return f"it is a link to {os.readlink(file)}, which does not exist"
        return "no such file"
    return error.strerror or str(error)


def _why_not_format(file: str, folder: str, path: str | None) -> str:
    try:
        with open(file, "rb") as opened:
            start = opened.read(_LONGEST_SHEBANG)
    except OSError:
        return ""  # execute permission without read permission is enough for a binary
    if start.startswith(b"#!"):
        return _why_not_interpreted(start[2:], folder, path)
    if all(byte in _TEXT for byte in start[:64]):
        return 'it is neither a binary nor does it start with "#!" (add #!/bin/sh, say)'
    return ""


def _why_not_interpreted(start: bytes, folder: str, path: str | None) -> str:
    line = start.split(b"\n")[0]
    if line.endswith(b"\r"):
        return 'its "#!" line ends in CR LF, as files from Windows do (convert it to LF)'
    words = os.fsdecode(line).split()
    if not words:
        return 'its "#!" line names no interpreter'
    if not os.access(os.path.join(folder, words[0]), os.X_OK):
        return f'its "#!" line names "{words[0]}", which is not there or not executable'
    if os.path.basename(words[0]) == "env" and len(words) == 2 and "/" not in words[1]:
        return _why_not_by_env(words[1], folder, DEFAULT_PATH if path is None else path)
    return ""


def _why_not_by_env(word: str, folder: str, path: str) -> str:
    try:
        _in_path(word, folder, path)
    except ProgramError:
        return f'its "#!" line wants "{word}", which is not found in PATH ({_shortened(path)})'
    return ""


class Programs:
    """`find_program`, once for each program: members often run the same ones."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str, str | None], str] = {}

    def why_not(self, word: str, folder: str, path: str | None) -> str:
        """The message of ProgramError, or an empty text."""
        asked = (word, folder, path)
        if asked not in self._reasons:
            try:
                find_program(word, folder, path)
                self._reasons[asked] = ""
            except ProgramError as error:
                self._reasons[asked] = str(error)
        return self._reasons[asked]
