"""strace on one thread of a process: it counts its calls, and makes one of them the last, or fail.

A call is counted from the moment on at which the tracer is attached, and for that thread alone.
"""

import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
HIT = re.compile(r"\(INJECTED\)|killed by SIGKILL")


class Tracer:
    """Attached when it is made; it writes to `record`."""

    def __init__(self, thread: int, record: Path, *options: str) -> None:
        self._thread = thread
        self.record = record
        words = ["strace", "-s", "300", "-o", str(record), *options, "-p", str(thread)]
        self._strace = subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True)
        said = self._said(" attached\n", within=20)
        if " attached\n" not in said:
            self.detach()
            raise RuntimeError(f"cannot trace {thread}: {said}")

    def _said(self, wanted: str, within: float) -> str:
        said, end = "", time.monotonic() + within
        assert self._strace.stderr is not None
        pipe = self._strace.stderr.fileno()
        while wanted not in said and select.select([pipe], [], [], end - time.monotonic())[0]:
            piece = os.read(pipe, 4096)
            if not piece:
                break
            said += piece.decode()
        return said

    def detach(self) -> None:
        """The process goes on by itself; the record is complete."""
        if not os.path.exists(f"/proc/{self._thread}"):
            with suppress(subprocess.TimeoutExpired):  # it has yet to write down how that ended
                self._strace.wait(timeout=5)
        if self._strace.poll() is None:
            self._strace.terminate()
        self._strace.wait()
        if self._strace.stderr is not None:
            self._strace.stderr.close()

    @property
    def has_hit(self) -> bool:
        return bool(HIT.search(self.record.read_text(errors="replace")))


def calls(record: Path) -> list[tuple[str, str]]:
    """Each call's name and the rest of its line."""
    lines = record.read_text(errors="replace").splitlines()
    return [(match[1], match[2]) for line in lines if (match := CALL.match(line))]


@contextmanager
def traced(thread: int, record: Path, *options: str) -> Iterator[Tracer]:
    tracer = Tracer(thread, record, *options)
    try:
        yield tracer
    finally:
        tracer.detach()


def can_trace() -> str:
    """Empty if strace can be used here; else why it can't."""
    if shutil.which("strace") is None:
        return "strace is not installed: apt-get install strace"
    with subprocess.Popen(["sleep", "60"]) as other:  # no child of strace's, nor is a supervisor
        try:
            Tracer(other.pid, Path(os.devnull), "-e", "inject=getpid:error=EPERM").detach()
        except RuntimeError as error:
            return str(error)
        finally:
            other.kill()
    return ""
