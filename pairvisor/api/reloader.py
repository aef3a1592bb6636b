"""A reload that no client has asked for: a changed file, or a signal. What comes of it is said."""

import asyncio
from collections.abc import Callable

from pairvisor.manifest.errors import ManifestError
from pairvisor.runtime.control import CannotNowError, Control
from pairvisor.runtime.prober import raise_fault


class Reloader:
    """`say` is told in words for people; the events have it, too."""

    def __init__(self, control: Control, say: Callable[[str], None]) -> None:
        self._control = control
        self._say = say
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """In the loop."""
        task = asyncio.get_running_loop().create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(raise_fault)

    async def _reload(self) -> None:
        try:
            done = await self._control.reload(None, dry_run=False)
        except ManifestError as error:
            for problem in error.problems:
                self._say(str(problem))
            self._say("the manifest is wrong: all runs on as it was")
        except CannotNowError as error:
            self._say(f"not reloaded: {error}")
        else:
            for line in [*done.warnings, done.text]:
                self._say(f"reloaded: {line}")
