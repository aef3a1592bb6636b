"""`notify`: the member has said READY=1; where live, WATCHDOG=1 since the last look."""

from pairvisor.manifest.group import Probe, Purpose
from pairvisor.runtime.probes import About, ProbeFailedError


async def look(probe: Probe, about: About) -> None:
    if about.mailbox is None:
        raise ProbeFailedError("it has no NOTIFY_SOCKET")
    if about.purpose is Purpose.LIVE:
        await about.mailbox.alive.wait()
        about.mailbox.alive.clear()
    else:
        await about.mailbox.ready.wait()
