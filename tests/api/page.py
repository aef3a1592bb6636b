"""docs/api.md: the prose stands here, routes and documents come from the code itself."""

from pathlib import Path
from typing import Any

from pairvisor.api.openapi import SOMETIMES, document
from pairvisor.api.routes import ROUTES, Route
from pairvisor.runtime.children import MOST_CLIENTS
from pairvisor.runtime.control import MOST_FOLLOWERS

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

HEAD = f"""\
# The control API

Made by `python -m tests.docs` from the server's own table of routes; tests hold it up to date, and
run every command on this page.

A running group answers HTTP/1.1 with JSON on its Unix socket, `control.sock` in its runtime folder.
The command line uses nothing else. Members find the socket's path in `PAIRVISOR_CONTROL`; from
anywhere else it is in the group's runtime folder:

```sh
export PAIRVISOR_CONTROL="$XDG_RUNTIME_DIR/pairvisor/shop/control.sock"
```

## Who may ask

The kernel says who is at the other end (`SO_PEERCRED` of unix(7)); there are no passwords.

| caller | may |
| --- | --- |
| root, and the user that the supervisor runs as | do everything |
| members of the manifest's `control_group` | look (`GET`); with `access = "full"` do everything |
| anybody else | nothing: 403, and an event `refused` |

The socket's mode is 0600, with a `control_group` 0660, so most others can't even connect.

## What holds for every route

- A GET says what it wants in its query, a POST in a JSON body; fields that are not known are
  refused with 400, so that a misspelt one is not taken for its default.
- An error's body is `{{"error": "…", "problems": []}}`; the text says what to do.
- Times are RFC 3339 in UTC; durations are in seconds, sizes in bytes. Fields may be added to a
  document; none is renamed or removed within a major version.
- `follow=true` answers with server-sent events (`text/event-stream`) that end when the group does.
- A client is bounded: 16 KiB of head, 64 KiB of body, ten seconds for a whole request and for
  taking a piece of an answer. {MOST_CLIENTS} may be connected, {MOST_FOLLOWERS} may follow; who is
  connected and asks nothing makes room for who comes. One request is answered at a time, so no
  number of clients delays the group.

"""

CURL = "curl --unix-socket $PAIRVISOR_CONTROL "
ON = "http://localhost/v1"
OPENMETRICS = "-H 'Accept: application/openmetrics-text; version=1.0.0'"
FOLLOWED = " # until the group ends, or Ctrl-C"

# What stands behind curl, without the path where that is all.
EXAMPLES = {
    "/v1/events": [f"'{ON}/events?n=20'", f"--no-buffer '{ON}/events?follow=true'{FOLLOWED}"],
    "/v1/logs": [f"'{ON}/logs?member=web&n=10'", f"--no-buffer '{ON}/logs?follow=true'{FOLLOWED}"],
    "/v1/metrics": [f"{ON}/metrics", f"{OPENMETRICS} {ON}/metrics"],
    "/v1/start": [f'{ON}/start -d \'{{"members": ["tls"]}}\''],
    "/v1/stop": [
        f'{ON}/stop -d \'{{"members": ["tls"]}}\'',
        f"{ON}/stop -X POST # the whole group",
    ],
    "/v1/restart": [f'{ON}/restart -d \'{{"members": ["tls"]}}\''],
    "/v1/signal": [f'{ON}/signal -d \'{{"member": "tls", "signal": "SIGHUP"}}\''],
    "/v1/reload": [f"{ON}/reload -d '{{\"dry_run\": true}}'"],
    "/v1/reexec": [f"{ON}/reexec -X POST"],
    "/v1/exec": [f'{ON}/exec -d \'{{"member": "web", "command": ["env"]}}\''],
}


def examples(path: str) -> list[str]:
    """The commands that ask this route."""
    return [CURL + rest for rest in EXAMPLES.get(path, [f"http://localhost{path}"])]


NOTES = {
    "/v1/events": "Events later than `since` are sent again to whoever lost the connection: an "
    "event's `id` only grows, over restarts of the supervisor too. The stream ends with "
    "`group-ended`.",
    "/v1/logs": "What was read last is kept in memory, some hundred kilobytes for each member, and "
    "of the run before, too. One that follows and is too slow gets an event `dropped` with the "
    "number of bytes that it has missed.",
    "/v1/metrics": "Who accepts OpenMetrics gets it, as Prometheus does; others get Prometheus' "
    "text format. Where the manifest has `metrics`, the same is at `/metrics` of that address.",
    "/v1/stop": "With no member named the group stops and the supervisor ends. A member that was "
    "stopped stays down until it is started or the group starts anew.",
    "/v1/start": "A group that waits for its restart starts at once where no member is named. "
    "Until then its members can be neither started, stopped nor restarted: 409.",
    "/v1/signal": "What the member makes of it is judged as always: a SIGKILL is a failure.",
    "/v1/reexec": "The answer comes before it happens; a later event, `reexecuted` or "
    "`reexec-failed`, says what has come of it. Connections are closed in between.",
    "/v1/exec": "Descriptors for the command's stdin, stdout and stderr may be sent with the "
    "request's bytes (SCM_RIGHTS of unix(7)); with `terminal` it is one, a pseudo-terminal's "
    "slave side. Without any, stdin is /dev/null and the answer has the first 64 KiB of the "
    "output. Closing the connection ends the command.",
}


def page() -> str:
    """The whole page."""
    described = document()
    routes = "".join(_route(route, described) for route in ROUTES)
    return f"{HEAD}## Routes\n{routes}\n## Documents\n{_documents(described)}"


def _route(route: Route, described: dict[str, Any]) -> str:
    operation = described["paths"][route.path][route.method.lower()]
    parts = [f"\n### {route.method} {route.path}\n\n{route.summary}\n"]
    if route.path in NOTES:
        parts.append(f"\n{NOTES[route.path]}\n")
    fields = _fields(route, operation, described)
    if fields:
        parts.append("\n| field | type | default | |\n| --- | --- | --- | --- |\n" + fields)
    parts.append(f"\nAnswers {_type(operation['responses']['200']['content'][route.media])}.")
    parts += [f" {status}: {SOMETIMES[status]}" for status in route.refusals]
    commands = "\n".join(examples(route.path))
    return "".join(parts) + f"\n\n```sh\n{commands}\n```\n"


def _fields(route: Route, operation: dict[str, Any], described: dict[str, Any]) -> str:
    if route.method == "GET":
        found = {p["name"]: p["schema"] for p in operation["parameters"]}
        required: list[str] = []
    else:
        schema = described["components"]["schemas"][route.asks.__name__]
        found, required = schema["properties"], schema.get("required", [])
    return "".join(_field(name, schema, name in required) for name, schema in found.items())


def _field(name: str, schema: dict[str, Any], is_required: bool) -> str:
    default = "required" if is_required else _value(schema.get("default"))
    kind, text = _type({"schema": schema}), schema.get("description", "")
    return f"| `{name}` | {kind} | {default} | {text} |\n"


def _value(default: Any) -> str:
    words = {None: "", False: "`false`", True: "`true`", "": ""}
    return words.get(default, f"`{default}`") if not isinstance(default, (list, dict)) else ""


def _type(content: dict[str, Any]) -> str:
    schema = content["schema"]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type({"schema": one}) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type({'schema': schema['items']})}"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    return str(schema.get("type", "any"))


def _documents(described: dict[str, Any]) -> str:
    asked = {route.asks.__name__ for route in ROUTES}
    return "".join(
        _document(name, schema)
        for name, schema in sorted(described["components"]["schemas"].items())
        if name not in asked
    )


def _document(name: str, schema: dict[str, Any]) -> str:
    head = f"\n### {name}\n\n{' '.join(schema.get('description', '').split())}\n"
    if "properties" not in schema:
        return f"{head}\n{_type({'schema': schema})}\n"
    rows = "".join(
        f"| `{field}` | {_type({'schema': about})} | {about.get('description', '')} |\n"
        for field, about in schema["properties"].items()
    )
    return f"{head}\n| field | type | |\n| --- | --- | --- |\n{rows}"
