"""`--watch`: what a changed file does to a running group. Imports watchdog, by way of `Watch`."""

import asyncio

from pairvisor.manifest.errors import ManifestError
from pairvisor.runtime.control import CannotNowError, Control
from pairvisor.runtime.prober import raise_fault
from pairvisor.runtime.supervisor import Supervisor
from pairvisor.runtime.watch import Listener, Watch


class Watching:
    """Restarts a member whose files have changed, and reloads a manifest that has."""

    def __init__(self, control: Control, supervisor: Supervisor) -> None:
        self._control = control
        self._say = supervisor.pump.say
        self._told: set[str] = set()
        self._reloading: asyncio.Task[None] | None = None
        listener = Listener(self._changed, self._manifest_changed, self._troubled)
        self._watch = Watch(supervisor.group, supervisor.manifest, listener)
        control.when_reloaded(self._watch.update)
        self._watch.start()

    def stop(self) -> None:
        self._watch.stop()

    def _changed(self, member: str, file: str) -> None:
        if self._control.file_changed(member, file):
            self._say(f"{file} has changed: {member} restarts")

    def _manifest_changed(self) -> None:
        self._reloading = asyncio.get_running_loop().create_task(self._reload())
        self._reloading.add_done_callback(raise_fault)

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

    def _troubled(self, troubles: list[str]) -> None:
        """Each is said once; all of them come whenever one is new."""
        for trouble in set(troubles) - self._told:
            self._say(trouble)
        self._told = set(troubles)
