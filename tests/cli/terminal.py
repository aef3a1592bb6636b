"""A program on a terminal of its own: what it writes, what one would see, a key pressed."""

import os
import re
import select
import subprocess
import termios
import time
from pathlib import Path

from tests.support import WITHIN

ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
CTRL_C = b"\x03"
CLEAR = "\r\x1b[2K"


def plain(text: str) -> str:
    return ESCAPE.sub("", text)


def colours(text: str) -> set[str]:
    """The foreground colours set anywhere in it."""
    codes = {c for found in re.findall(r"\x1b\[([0-9;]*)m", text) for c in found.split(";")}
    return {code for code in codes if re.fullmatch(r"[39][0-7]", code)}


class Terminal:
    def __init__(self, command: list[str], cwd: Path, env: dict[str, str], columns: int) -> None:
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (50, columns))
        self.written = ""
        # setsid makes the terminal the program's own, so that its keys are signals.
        self.popen = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env=env,
        )
        os.close(theirs)

    @property
    def screen(self) -> str:
        """What one sees: a line that was cleared is gone."""
        lines = self.written.replace("\r\n", "\n").split("\n")
        return "\n".join(plain(line.rpartition(CLEAR)[2]).rstrip() for line in lines)

    def read_until(self, pattern: str, within: float = WITHIN) -> None:
        """Read on until something written matches. AssertionError if nothing does."""
        end = time.monotonic() + within
        while not re.search(pattern, self.written):
            assert self._read(end), f"{pattern!r} was not written in:\n{self.written}"

    def _read(self, end: float) -> bool:
        readable, _, _ = select.select([self._ours], [], [], max(end - time.monotonic(), 0))
        try:
            piece = os.read(self._ours, 1 << 16) if readable else b""
        except OSError:  # EIO: nobody has the other end any more
            piece = b""
        self.written += piece.decode(errors="replace")
        return bool(piece)

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self._ours, (rows, columns))

    @property
    def modes(self) -> list[object]:
        """As tcgetattr(3) has them, while a program is on it."""
        return termios.tcgetattr(self._ours)

    def hang_up(self) -> None:
        """As if its window were closed."""
        os.close(self._ours)
        self._ours = -1

    def wait(self, within: float = WITHIN) -> int:
        """Read to the end and return the exit status."""
        end = time.monotonic() + within
        while self._read(end):
            pass
        return self.popen.wait(max(end - time.monotonic(), 0.1))

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        if self._ours >= 0:
            os.close(self._ours)
