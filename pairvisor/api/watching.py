"""`--watch`: what a changed file does to a running group. Imports watchdog, by way of `Watch`."""

from pairvisor.api.reloader import Reloader
from pairvisor.runtime.control import Control
from pairvisor.runtime.supervisor import Supervisor
from pairvisor.runtime.watch import Listener, Watch


class Watching:
    """Restarts a member whose files have changed, and reloads a manifest that has."""

    def __init__(self, control: Control, supervisor: Supervisor, reloader: Reloader) -> None:
        self._control = control
        self._say = supervisor.pump.say
        self._told: set[str] = set()
        listener = Listener(self._changed, reloader.begin, self._troubled)
        self._watch = Watch(supervisor.group, supervisor.manifest, listener)
        control.when_reloaded(self._watch.update)
        self._watch.start()

    def stop(self) -> None:
        self._watch.stop()

    def _changed(self, member: str, file: str) -> None:
        if self._control.file_changed(member, file):
            self._say(f"{file} has changed: {member} restarts")

    def _troubled(self, troubles: list[str]) -> None:
        """Each is said once; all of them come whenever one is new."""
        for trouble in set(troubles) - self._told:
            self._say(trouble)
        self._told = set(troubles)
