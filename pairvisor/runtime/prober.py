"""Carries out the core's attempts to look: each a task that ends in one word to the core.

No attempt waits for another. One that hangs is cancelled at its time-out, and what it had started
is killed. If the supervisor itself was stopped or starved meanwhile, a time-out says nothing about
the member, and the attempt is made again.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from pairvisor.core.events import ProbeEnded
from pairvisor.core.probing import is_told
from pairvisor.manifest.group import Probe, Purpose
from pairvisor.runtime.probes import About, ProbeFailedError, look_by

STALL = 1.0  # seconds past a time-out that only a supervisor that did not run can explain


class Due(Struct, frozen=True):
    """When a probe's next attempt begins, if it is not under way."""

    member: str
    purpose: Purpose
    at: float


class Prober:
    """All attempts of all members, by member."""

    def __init__(self, post: Callable[[ProbeEnded], None]) -> None:
        self._post = post
        self._tasks: dict[str, set[asyncio.Task[None]]] = {}
        self._due: dict[tuple[str, Purpose], float] = {}

    def schedule(self, about: About, run: int, delay: float) -> None:
        """One attempt, `delay` seconds from now."""
        loop = asyncio.get_running_loop()
        self._due[about.member.name, about.purpose] = loop.time() + delay
        task = loop.create_task(self._attempt(about, run, delay))
        tasks = self._tasks.setdefault(about.member.name, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(raise_fault)

    def cancel(self, member: str) -> None:
        for task in self._tasks.pop(member, ()):
            task.cancel()

    def cancel_all(self) -> None:
        for member in list(self._tasks):
            self.cancel(member)

    def due(self) -> list[Due]:
        """When the latest attempts begin, or have begun."""
        return [Due(member, purpose, at) for (member, purpose), at in self._due.items()]

    def take_over(self, due: list[Due]) -> None:
        """Another one's, which are to be scheduled anew."""
        self._due = {(one.member, one.purpose): one.at for one in due}

    async def _attempt(self, about: About, run: int, delay: float) -> None:
        await asyncio.sleep(delay)
        probe = about.member.probes[about.purpose]
        passed, detail = await _outcome(probe, about)
        self._post(ProbeEnded(about.member.name, run, about.purpose, passed, detail))


def raise_fault(task: asyncio.Task[None]) -> None:
    """What broke in the core meanwhile is the loop's to report, at once."""
    if not task.cancelled():
        task.result()


async def _outcome(probe: Probe, about: About) -> tuple[bool, str]:
    try:
        await _in_time(probe, about)
    except ProbeFailedError as failure:
        return False, str(failure)
    except TimeoutError:
        return False, f"no answer within {probe.timeout:g} s"
    except OSError as error:
        return False, error.strerror or str(error)
    except Exception as error:
        return False, f"internal error: {error!r}"
    return True, ""


async def _in_time(probe: Probe, about: About) -> None:
    look = look_by(probe.method)
    if is_told(probe, about.purpose):
        await look(probe, about)
        return
    clock = asyncio.get_running_loop().time
    while True:
        latest = clock() + probe.timeout + STALL
        with suppress(TimeoutError):
            async with asyncio.timeout(probe.timeout):
                await look(probe, about)
            return
        if clock() < latest:
            raise TimeoutError
