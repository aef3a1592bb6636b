"""Probes, one module a method: how to look once.

Each has `async def look(probe, about)`, which returns when the probe passes and raises
`ProbeFailedError`, with a detail for people, or OSError when it does not. It is cancelled at its
time-out. A module is imported when a manifest first asks for it.
"""

import asyncio
from collections.abc import Awaitable
from importlib import import_module
from typing import Protocol, cast

from msgspec import Struct

from pairvisor.manifest.group import Member, Method, Probe, Purpose
from pairvisor.runtime.children import Children
from pairvisor.runtime.mailbox import Mailbox


class ProbeFailedError(Exception):
    """The member was seen not to be as it should."""


class About(Struct):
    """What a look may need beside the probe itself."""

    member: Member
    purpose: Purpose
    children: Children
    mailbox: Mailbox | None
    log_matched: asyncio.Event


class Look(Protocol):
    def __call__(self, probe: Probe, about: About) -> Awaitable[None]: ...


def look_by(method: Method) -> Look:
    return cast("Look", import_module(f"{__name__}.{method}").look)
