"""The group's control socket: bound before the first member starts, served from the loop on.

What speaks HTTP is imported when the first client comes: a group that nobody asks anything pays
neither its time nor its memory.
"""

import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pairvisor.manifest.group import Group
from pairvisor.runtime.folders import admit

if TYPE_CHECKING:
    from pairvisor.api.service import Service
    from pairvisor.runtime.supervisor import Supervisor

BACKLOG = 4096  # what a kernel allows by default; connections wait there, not we
PAUSE = 1.0  # seconds


def bind(group: Group) -> socket.socket:
    """The listening socket at `${run}/control.sock`, which has been cleared. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(group.places.control)
    admit(group)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


class Listener:
    """Waits for the first client, then for the others, until `close`.

    With `watch`, or where metrics are exposed or files watched, nobody is waited for. With
    `reloads`, SIGHUP lets the group read its manifest anew. `when_served` is called once clients
    are answered.
    """

    def __init__(
        self, listener: socket.socket, *, watch: bool = False, reloads: bool = False
    ) -> None:
        self._listener = listener
        self._watch = watch
        self._reloads = reloads
        self._service: Service | None = None
        self.when_served: Callable[[], None] = lambda: None

    def fileno(self) -> int:
        return self._listener.fileno()

    def begin(self, supervisor: "Supervisor") -> None:
        """In the loop."""
        if self._reloads:
            supervisor.on_hangup = partial(self._reload, supervisor)
        group = supervisor.group
        if self._watch or group.metrics or group.reloads_files:
            self._first(supervisor)
        else:
            supervisor.loop.add_reader(self._listener, self._first, supervisor)
        self.when_served()

    def _first(self, supervisor: "Supervisor") -> None:
        try:
            from pairvisor.api.service import Service  # noqa: PLC0415 - see above

            self._service = Service(self._listener, supervisor, watch=self._watch)
        except OSError:
            # No descriptor for the files of the modules, say: the client waits a second.
            supervisor.loop.remove_reader(self._listener)
            supervisor.loop.call_later(PAUSE, self._first, supervisor)
            supervisor.begin()
        except Exception as error:
            # Nobody can be served, but the group can be supervised.
            supervisor.loop.remove_reader(self._listener)
            supervisor.records.fault(f"no control API: {error!r}")
            supervisor.begin()

    def _reload(self, supervisor: "Supervisor") -> None:
        if self._service is None:
            self._first(supervisor)
        if self._service is not None:
            self._service.reload()

    async def close(self) -> None:
        """Let those that follow take the last news."""
        if self._service is not None:
            await self._service.close()
