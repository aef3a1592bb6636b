"""Commands beside a member's main process: hooks and exec probes, run as the member runs."""

import asyncio
import itertools
import os

from msgspec.structs import replace

from pairvisor.core.events import Exit
from pairvisor.runtime.children import TASK, Children, Command, Input, SpawnError

KEPT = 4096  # bytes of output, for a failure's detail; what is beyond is read and dropped
PIECE = 1 << 16

# One that is being killed and its successor are two: neither may take the other's processes.
_numbers = itertools.count()


def as_task(owner: str, command: Command) -> tuple[str, Command]:
    """An owner of its own for a process that is not the member's, and a command that says so."""
    owner = f"{owner}/{next(_numbers)}"
    return owner, replace(command, env={**command.env, TASK: owner})


class Output:
    """A pipe whose first bytes are kept and whose flood is dropped."""

    def __init__(self, most: int = KEPT) -> None:
        self.kept = b""
        self._most = most
        self._read, self.write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # Only our end must not block: a program may not expect that of its stdout.
        os.set_blocking(self.write, True)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read, self._take)

    def _take(self) -> None:
        try:
            piece = os.read(self._read, PIECE)
        except BlockingIOError:
            return
        if not piece:
            self._loop.remove_reader(self._read)
        self.kept += piece[: self._most - len(self.kept)]

    def close(self) -> str:
        """What was kept. Whoever still writes gets SIGPIPE."""
        self._take()
        self._loop.remove_reader(self._read)
        os.close(self._read)
        return self.kept.decode(errors="replace")


async def run(
    children: Children, owner: str, command: Command, stdin: Input | None = None
) -> tuple[bool, str]:
    """Run to the end of the main process: whether it exited 0, and what it said, or why not.

    Judged by the exit, not by the end of its output. However this ends, also when cancelled,
    the command's whole tree is killed.
    """
    try:
        output = Output()
    except OSError as error:
        return False, f'cannot run "{command.words[0]}": {error.strerror}'
    owner, command = as_task(owner, command)
    over: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def on_exit(end: Exit) -> None:
        if not over.done():
            over.set_result(end)

    try:
        children.spawn(owner, command, (output.write, output.write), on_exit, stdin)
        end = await over
    except SpawnError as error:
        end = Exit(error=str(error))
    finally:
        os.close(output.write)
        said = output.close()
        children.kill(owner, lambda _: None)
    return (True, said) if end.code == 0 else (False, how(end, said))


def how(end: Exit, said: str) -> str:
    """A failure in words: `exited with 3: no route to host`."""
    if end.error is not None:
        return end.error
    ended = f"exited with {end.code}" if end.signal is None else f"killed by signal {end.signal}"
    lines = said.strip().splitlines()
    # Python's says what is wrong at its end.
    line = lines[-1 if lines[0].startswith("Traceback ") else 0] if lines else ""
    return f"{ended}: {line[:200]}" if line else ended
