"""The table of all that can be asked. The server, the OpenAPI document and the tests read it."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from pairvisor.api import actions, asked, views
from pairvisor.api.connection import JSON, RefusedError, Request, Response
from pairvisor.api.peer import Access
from pairvisor.record import model
from pairvisor.runtime.control import Control

Handler = Callable[[Control, Request, Any], Awaitable[Response]]


class Route(Struct, frozen=True, kw_only=True):
    """One thing that can be asked: a GET says it in the query, a POST in a JSON body."""

    method: str
    path: str
    summary: str
    handler: Handler
    asks: type = asked.Nothing
    answers: Any = None  # the type of the JSON answer
    media: str = JSON
    streams: Any = None  # the type of an event's data, where it can be followed
    refusals: tuple[int, ...] = ()  # beside those that every route has

    @property
    def access(self) -> Access:
        return Access.READ if self.method == "GET" else Access.FULL


ROUTES = (
    Route(
        method="GET",
        path="/v1/status",
        summary="How the group and its members are.",
        handler=views.status,
        answers=model.Status,
    ),
    Route(
        method="GET",
        path="/v1/events",
        summary="What has happened, the oldest first.",
        handler=views.events,
        asks=asked.AboutEvents,
        answers=list[model.Event],
        streams=model.Event,
    ),
    Route(
        method="GET",
        path="/v1/logs",
        summary="What the members have written, the oldest first.",
        handler=views.logs,
        asks=asked.AboutLogs,
        answers=list[model.LogLine],
        streams=model.LogLine,
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/v1/why",
        summary="Why the group, or a member, was restarted or ended the last time.",
        handler=views.why,
        asks=asked.AboutMember,
        answers=model.Why,
        refusals=(404,),
    ),
    Route(
        method="GET",
        path="/v1/timeline",
        summary="Who waited for whom, and how long, in the last start.",
        handler=views.timeline,
        answers=model.Timeline,
    ),
    Route(
        method="GET",
        path="/v1/metrics",
        summary="The group in figures, for Prometheus: its text format, or OpenMetrics.",
        handler=views.metrics,
        media=views.METRICS,
    ),
    Route(
        method="GET",
        path="/v1/openapi.json",
        summary="This API's description (OpenAPI 3.1).",
        handler=views.openapi,
        answers=dict[str, Any],
    ),
    Route(
        method="POST",
        path="/v1/start",
        summary="Start members that are not running; with none named, all of them.",
        handler=actions.start,
        asks=asked.Members,
        answers=model.Answer,
        refusals=(404, 409),
    ),
    Route(
        method="POST",
        path="/v1/stop",
        summary="Stop members; with none named, the group, which ends the supervisor.",
        handler=actions.stop,
        asks=asked.Members,
        answers=model.Answer,
        refusals=(404, 409),
    ),
    Route(
        method="POST",
        path="/v1/restart",
        summary="Restart members; with none named, the group.",
        handler=actions.restart,
        asks=asked.Members,
        answers=model.Answer,
        refusals=(404, 409),
    ),
    Route(
        method="POST",
        path="/v1/signal",
        summary="Send a signal to a member's main process.",
        handler=actions.signal,
        asks=asked.SignalTo,
        answers=model.Answer,
        refusals=(404, 409),
    ),
    Route(
        method="POST",
        path="/v1/reload",
        summary="Read the manifest anew, all or nothing; only what changed restarts.",
        handler=actions.reload,
        asks=asked.Reloading,
        answers=model.Reload,
        refusals=(409, 422),
    ),
    Route(
        method="POST",
        path="/v1/reexec",
        summary="Let the installed version take over; members run on, connections are closed.",
        handler=actions.reexec,
        answers=model.Answer,
        refusals=(409,),
    ),
    Route(
        method="POST",
        path="/v1/exec",
        summary="Run a command as a member runs.",
        handler=actions.execute,
        asks=asked.Execution,
        answers=model.Executed,
        refusals=(404, 409),
    ),
)

BY_PATH: dict[str, dict[str, Route]] = {}
for _route in ROUTES:
    BY_PATH.setdefault(_route.path, {})[_route.method] = _route


def find(method: str, path: str) -> Route:
    """The route. Raises RefusedError with 404 or 405; a path is looked up as it is."""
    methods = BY_PATH.get(path)
    if methods is None:
        raise RefusedError(404, "no such route: see /v1/openapi.json")
    route = methods.get(method)
    if route is None:
        raise RefusedError(405, f"only {', '.join(methods)} here", allow=", ".join(methods))
    return route


def read(route: Route, request: Request) -> Any:
    """What the request says, as the route's type. Raises RefusedError with 400."""
    try:
        if route.method == "GET":
            return msgspec.convert(_fields(route.asks, request.query), route.asks, strict=False)
        if request.query:
            raise RefusedError(400, "a POST says what it wants in its body, not in a query")
        return msgspec.json.decode(request.body or b"{}", type=route.asks)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RefusedError(400, f"not what {route.path} takes: {error}") from None


def _fields(asks: type, query: str) -> dict[str, Any]:
    """The query's fields; those that are lists may come several times, all others once."""
    from urllib.parse import parse_qsl  # noqa: PLC0415 - only where there is a query

    pairs = parse_qsl(
        query,
        keep_blank_values=True,
        strict_parsing=bool(query),
        errors="strict",
        max_num_fields=64,
    )
    lists = {field.name for field in msgspec.structs.fields(asks) if field.default_factory is list}
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise ValueError(f"`{name}` is given twice")
        else:
            found[name] = value
    return found
