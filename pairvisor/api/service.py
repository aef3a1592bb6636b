"""Everything that a group's clients can reach, put together when the first of them comes."""

import os
import socket
from functools import partial
from typing import TYPE_CHECKING

from pairvisor.api.application import Application
from pairvisor.api.door import CLIENTS, Door, listen
from pairvisor.api.peer import Access, Peer, access, peer_of
from pairvisor.api.reloader import Reloader
from pairvisor.api.server import Server
from pairvisor.manifest.group import Endpoint, Group
from pairvisor.runtime.control import Control
from pairvisor.runtime.supervisor import Supervisor

if TYPE_CHECKING:
    from pairvisor.api.watching import Watching


class Service:
    """The control API; where the manifest says so, the metrics; with `--watch` or where a member
    reloads what changes, the watch."""

    def __init__(
        self, listener: socket.socket, supervisor: Supervisor, *, watch: bool = False
    ) -> None:
        self._control = Control(supervisor)
        application = Application(self._control)
        judge = partial(_judge, supervisor)
        most = supervisor.children.clients
        self._servers = [Server(listener, application.answer, judge, application.note_fault, most)]
        if supervisor.group.metrics:
            self._open_door(supervisor.group.metrics, application)
        self._reloader = Reloader(self._control, supervisor.pump.say)
        self._supervisor = supervisor
        self._is_developed = watch
        self._watching: Watching | None = None
        self._watch(supervisor.group)
        self._control.when_reloaded(self._watch)

    def reload(self) -> None:
        """Read the manifest anew, as if a client had asked for it."""
        self._reloader.begin()

    def _watch(self, group: Group) -> None:
        """Where there is something to watch, from now on."""
        if self._watching is not None:
            self._watching.update(group)
        elif self._is_developed or group.reloads_files:
            from pairvisor.api.watching import Watching  # noqa: PLC0415 - watchdog is for this alone

            self._watching = Watching(
                self._control, self._supervisor, self._reloader, is_developed=self._is_developed
            )

    def _open_door(self, endpoint: Endpoint, application: Application) -> None:
        """Where it can't be had, the group runs without: it is said."""
        door = Door(self._control)
        try:
            listener = listen(endpoint)
        except OSError as error:
            where = endpoint.path or f"{endpoint.host}:{endpoint.port}"
            self._control.records.fault(f"no metrics: cannot listen at {where}: {error.strerror}")
            return
        self._servers.append(
            Server(listener, door.answer, door.judge, application.note_fault, CLIENTS)
        )

    async def close(self) -> None:
        """Take no more clients; let those that follow take the last news."""
        if self._watching is not None:
            self._watching.stop()
        await self._control.end()
        for server in self._servers:
            await server.close()


def _judge(supervisor: Supervisor, client: socket.socket) -> tuple[Peer, Access]:
    peer = peer_of(client)
    return peer, access(peer, os.geteuid(), supervisor.group.control_group)
