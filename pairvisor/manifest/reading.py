"""Reads a file that a person wrote, with a clear message for each way in which that can fail."""

import os
import stat

LARGEST = 1024 * 1024  # bytes; a manifest of that size is a mistake or an attack
_BOM = b"\xef\xbb\xbf"


class UnreadableError(Exception):
    """`line` is 0 where it isn't about one line; `missing`: there is no such file."""

    def __init__(self, message: str, line: int = 0, *, missing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.missing = missing


def read_text(path: str, uid: int) -> str:
    """The file's text, without a byte order mark. Raise UnreadableError.

    For root a file that others may write is refused: who writes it says what root runs.
    """
    return _decoded(_read(path, uid))


def _read(path: str, uid: int) -> bytes:
    try:
        # O_NONBLOCK: to open a FIFO that nobody writes must not wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise UnreadableError("no such file", missing=True) from None
    except (OSError, ValueError) as error:
        raise UnreadableError(f"cannot read it: {_reason(error)}") from None
    try:
        _check_status(path, os.fstat(descriptor), uid)
        return _content(descriptor)
    finally:
        os.close(descriptor)


def _content(descriptor: int) -> bytes:
    content = b""
    try:
        while chunk := os.read(descriptor, LARGEST + 1 - len(content)):
            content += chunk
    except OSError as error:
        raise UnreadableError(f"cannot read it: {_reason(error)}") from None
    if len(content) > LARGEST:
        raise UnreadableError(f"larger than {LARGEST // 1024} KiB, which is the most it may have")
    return content


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _check_status(path: str, status: os.stat_result, uid: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableError("a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("not a regular file")
    if uid == 0 and status.st_mode & stat.S_IWOTH:
        raise UnreadableError(
            f"others may write this file, so it is not used for root (chmod o-w {path})"
        )


def _decoded(content: bytes) -> str:
    content = content.removeprefix(_BOM)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(
            f"not UTF-8: byte 0x{content[error.start]:02x} (save the file as UTF-8)", line
        ) from None
