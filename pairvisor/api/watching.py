"""What a changed file does to a running group. Imports watchdog, by way of `Watch`."""

from pairvisor.api.reloader import Reloader
from pairvisor.manifest.group import Group
from pairvisor.runtime.control import Control
from pairvisor.runtime.interest import Concern, Interest
from pairvisor.runtime.supervisor import Supervisor
from pairvisor.runtime.watch import Listener, Seen, Watch

PATIENCE = 5.0  # seconds; a disk that does not answer holds up the group's start no longer


class Watching:
    """Lets a member reload what has changed; while a group is being developed, restarts members
    whose files have changed, and reloads a manifest that has."""

    def __init__(
        self, control: Control, supervisor: Supervisor, reloader: Reloader, *, is_developed: bool
    ) -> None:
        self._control = control
        self._say = supervisor.pump.say
        self._told: set[str] = set()
        self._begin = supervisor.begin
        listener = Listener(self._changed, reloader.begin, self._troubled, self._begin)
        interest = Interest(supervisor.group, supervisor.manifest, is_developed=is_developed)
        self._watch = Watch(interest, listener)
        self._watch.start()
        supervisor.loop.call_later(PATIENCE, self._begin)

    def update(self, group: Group) -> None:
        """The group is this from now on."""
        self._watch.update(group)

    def stop(self) -> None:
        self._watch.stop()

    def _changed(self, concern: Concern, seen: Seen) -> None:
        if self._control.file_changed(concern, seen.file, seen.at):
            what = "reloads" if concern.reloads else "restarts"
            self._say(f"{seen.file} has changed: {concern.member} {what}")

    def _troubled(self, troubles: list[str]) -> None:
        """Each is said once; all of them come whenever one is new."""
        for trouble in set(troubles) - self._told:
            self._say(trouble)
        self._told = set(troubles)
        self._begin()
