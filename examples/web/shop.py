"""The application: plain WSGI, so that it needs nothing but a server.

/              a greeting, and over which protocol the client asked
/healthz       for probes
/pid           the worker that answers
/size          how many bytes the request brought
/slow?seconds=N   a line each second, then the last one
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

Start = Callable[[str, list[tuple[str, str]]], object]


def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    answer = ANSWERS.get(environ["PATH_INFO"])
    if answer is None:
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not here\n"]
    start("200 OK", [("Content-Type", "text/plain")])
    return answer(environ)


def greet(environ: dict[str, Any]) -> Iterable[bytes]:
    protocol = environ.get("HTTP_X_FORWARDED_PROTO", "no proxy")
    restarts = os.environ.get("PAIRVISOR_RESTARTS", "0")
    return [f"Welcome to the shop, by {protocol}. Restarts: {restarts}.\n".encode()]


def healthz(_: dict[str, Any]) -> Iterable[bytes]:
    return [b"ok\n"]


def pid(_: dict[str, Any]) -> Iterable[bytes]:
    return [f"{os.getpid()}\n".encode()]


def size(environ: dict[str, Any]) -> Iterable[bytes]:
    return [f"{len(environ['wsgi.input'].read())}\n".encode()]


def slow(environ: dict[str, Any]) -> Iterator[bytes]:
    seconds = int(parse_qs(environ["QUERY_STRING"]).get("seconds", ["5"])[0])
    for left in range(seconds, 0, -1):
        yield f"{left} s to go\n".encode()
        time.sleep(1)
    yield b"done\n"


ANSWERS = {"/": greet, "/healthz": healthz, "/pid": pid, "/size": size, "/slow": slow}
