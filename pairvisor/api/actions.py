"""The routes that change something."""

from collections.abc import AsyncGenerator

import msgspec

from pairvisor.api import asked
from pairvisor.api.connection import RefusedError, Request, Response
from pairvisor.api.views import as_json
from pairvisor.manifest import signals
from pairvisor.runtime.control import Control


async def start(control: Control, request: Request, body: asked.Members) -> Response:
    return as_json(control.start(body.members, request.peer.caller))


async def stop(control: Control, request: Request, body: asked.Members) -> Response:
    return as_json(control.stop(body.members, request.peer.caller))


async def restart(control: Control, request: Request, body: asked.Members) -> Response:
    return as_json(control.restart(body.members, request.peer.caller))


async def signal(control: Control, request: Request, body: asked.SignalTo) -> Response:
    return as_json(control.signal(body.member, signal_number(body.signal), request.peer.caller))


def signal_number(name: str) -> int:
    """Of `SIGHUP`, `HUP`, `hup`, `1`. Raises RefusedError with 400."""
    found = signals.named_or_numbered(name)
    if found is None:
        raise RefusedError(400, f'signal: "{name[:80]}" is no signal: SIGHUP, SIGUSR1, …')
    return found


async def reload(control: Control, request: Request, body: asked.Reloading) -> Response:
    return as_json(await control.reload(request.peer.caller, dry_run=body.dry_run))


async def reexec(control: Control, request: Request, _: asked.Nothing) -> Response:
    """It happens after the answer, and closes all connections."""
    return as_json(control.reexec(request.peer.caller))


async def execute(control: Control, request: Request, body: asked.Execution) -> Response:
    """The answer comes when the command has ended; the client's going away ends the command."""
    control.members_named([body.member])
    return Response(body=_execution(control, body, request.descriptors))


async def _execution(
    control: Control, body: asked.Execution, given: list[int]
) -> AsyncGenerator[bytes, None]:
    # Only now are they the command's: if the client is gone already, this is never begun.
    sent = given.copy()
    given.clear()
    yield msgspec.json.encode(await control.execute(body, sent))
