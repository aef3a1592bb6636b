"""The API's description, made from the table of routes and the types of the documents."""

from typing import Any

import msgspec
from msgspec.json import schema, schema_components

from pairvisor import __version__
from pairvisor.api.connection import JSON
from pairvisor.api.routes import ROUTES, Route
from pairvisor.api.views import METRICS, OPENMETRICS, STREAM
from pairvisor.record.model import Failure

REFERENCE = "#/components/schemas/{name}"
ALWAYS = {
    400: "The request is not what the route takes.",
    403: "The caller may not do that.",
    413: "The request is too long.",
    503: "There are too many clients: try again.",
}
SOMETIMES = {
    404: "No member has that name.",
    409: "The group can't do that now.",
    422: "The manifest is wrong; the group runs on as it was.",
}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of `/v1/openapi.json`."""
    types = [t for r in ROUTES for t in (r.answers, r.streams) if t is not None]
    bodies = [route.asks for route in ROUTES if route.method == "POST"]
    _, components = schema_components([*types, *bodies, Failure], ref_template=REFERENCE)
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pairvisor",
            "version": __version__,
            "summary": "The control API of one group, on its Unix socket",
        },
        "servers": [{"url": "http://localhost", "description": "the group's control.sock"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: Route) -> dict[str, Any]:
    name = route.path.removeprefix("/v1/").removesuffix(".json")
    operation: dict[str, Any] = {"operationId": name, "summary": route.summary}
    if route.method == "POST":
        body = _reference(route.asks)
        operation["requestBody"] = {"required": False, "content": {JSON: {"schema": body}}}
    else:
        operation["parameters"] = _parameters(route)
    operation["responses"] = {"200": _success(route)} | {
        str(status): {
            "description": (ALWAYS | SOMETIMES)[status],
            "content": {JSON: {"schema": _reference(Failure)}},
        }
        for status in sorted({*ALWAYS, *route.refusals})
    }
    return operation


def _reference(type_: Any) -> Any:
    (reference,), _ = schema_components([type_], ref_template=REFERENCE)
    return reference


def _success(route: Route) -> dict[str, Any]:
    content: dict[str, Any] = {
        route.media: {
            "schema": {"type": "string"} if route.answers is None else _reference(route.answers)
        }
    }
    if route.media == METRICS:
        content[OPENMETRICS] = content[METRICS]
    if route.streams is not None:
        content[STREAM] = {"schema": _streamed(route.streams)}
    return {"description": route.summary, "content": content}


def _streamed(type_: Any) -> dict[str, Any]:
    """One server-sent event, as OpenAPI 3.2 describes them."""
    text = {"type": "string"}
    data = {"contentMediaType": JSON, "contentSchema": _reference(type_)}
    properties = {"event": text, "id": text, "data": text | data}
    return {"type": "object", "properties": properties, "required": ["event", "data"]}


def _parameters(route: Route) -> list[dict[str, Any]]:
    described = schema(route.asks)["$defs"][route.asks.__name__]
    return [
        {
            "name": field.encode_name,
            "in": "query",
            "required": False,
            "schema": described["properties"][field.encode_name],
        }
        for field in msgspec.structs.fields(route.asks)
    ]
