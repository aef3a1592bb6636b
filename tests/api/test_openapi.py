"""The OpenAPI document is what the server does, and is a good one."""

from typing import Any

import pytest

from pairvisor.api import routes
from pairvisor.api.connection import RefusedError, Request
from pairvisor.api.openapi import document
from pairvisor.api.peer import Access, Peer
from pairvisor.record.model import Caller
from tests.api import page

PEER = Peer(Caller(uid=0, gid=0, pid=1), frozenset({0}))


def request(query: str = "", body: bytes = b"") -> Request:
    return Request("", "", query, body, PEER, Access.FULL, [])


def test_the_page_is_up_to_date() -> None:
    assert page.PAGE.read_text() == page.page(), "run: python -m tests.docs"


def test_every_route_is_in_the_document_and_no_other() -> None:
    described = {(m.upper(), path) for path, item in document()["paths"].items() for m in item}
    assert described == {(route.method, route.path) for route in routes.ROUTES}


def test_every_reference_leads_somewhere() -> None:
    described = document()

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [found for one in part.values() for found in references(one)]
        return (
            [found for one in part for found in references(one)] if isinstance(part, list) else []
        )

    found = references(described)
    assert found
    for reference in found:
        at: Any = described
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v1/status/", "/v1/../status", "/v1//status"]
)
def test_paths_are_looked_up_as_they_are(path: str) -> None:
    with pytest.raises(RefusedError) as refused:
        routes.find("GET", path)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    "path",
    ["/v1/__class__", "/v1/status.__init__", "/__dict__", "/v1/%2e%2e/status", "/v1/status%00"],
)
def test_no_path_reaches_what_is_not_in_the_table(path: str) -> None:
    with pytest.raises(RefusedError) as refused:
        routes.find("GET", path)
    assert refused.value.status == 404


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "POST", "get"])
def test_another_method_is_told_which_there_are(method: str) -> None:
    with pytest.raises(RefusedError) as refused:
        routes.find(method, "/v1/status")
    assert refused.value.status == 405
    assert refused.value.allow == "GET"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/events", "n=-1"),
        ("/v1/events", "n=1e9"),
        ("/v1/events", "n=99999999999999999999999999"),
        ("/v1/events", "since=tomorrow"),
        ("/v1/events", "follow=perhaps"),
        ("/v1/events", "n=1&n=2"),
        ("/v1/events", "count=1"),
        ("/v1/events", "n"),
        ("/v1/events", "&".join("n=1" for _ in range(100))),
        ("/v1/logs", "member=../../etc"),
        ("/v1/logs", "member=%ff"),
        ("/v1/why", "member="),
        ("/v1/status", "verbose=1"),
    ],
)
def test_a_query_that_the_route_does_not_take_is_refused(path: str, query: str) -> None:
    with pytest.raises(RefusedError) as refused:
        routes.read(routes.find("GET", path), request(query))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/stop", b"["),
        ("/v1/stop", b"[]"),
        ("/v1/stop", b"null"),
        ("/v1/stop", b'{"members": "web"}'),
        ("/v1/stop", b'{"members": [1]}'),
        ("/v1/stop", b'{"member": ["web"]}'),
        ("/v1/stop", b'{"members": ["WEB"]}'),
        ("/v1/stop", b"\xff"),
        ("/v1/stop", b"[" * 60_000),
        ("/v1/stop", b'{"members":' * 5_000),
        ("/v1/stop", b"1" * 60_000),
        ("/v1/signal", b"{}"),
        ("/v1/signal", b'{"member": "web", "signal": 15}'),
        ("/v1/exec", b'{"member": "web", "command": []}'),
        ("/v1/exec", b'{"member": "web", "command": ["a\\u0000b"]}'),
        ("/v1/exec", b'{"member": "web", "command": ["a"], "env": {"A=B": "c"}}'),
        ("/v1/reload", b'{"dry_run": "perhaps"}'),
    ],
)
def test_a_body_that_the_route_does_not_take_is_refused(path: str, body: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        routes.read(routes.find("POST", path), request(body=body))
    assert refused.value.status == 400


def test_a_post_with_a_query_is_refused() -> None:
    with pytest.raises(RefusedError) as refused:
        routes.read(routes.find("POST", "/v1/stop"), request("members=web"))
    assert refused.value.status == 400


def test_lists_in_a_query_are_repeated() -> None:
    found = routes.read(routes.find("GET", "/v1/logs"), request("member=web&member=tls&n=3"))
    assert (found.member, found.n) == (["web", "tls"], 3)
