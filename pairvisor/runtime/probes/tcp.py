"""`tcp`: a connection is accepted."""

from pairvisor.manifest.group import Probe
from pairvisor.runtime.probes import About, connect


async def look(probe: Probe, about: About) -> None:
    async with connect.tcp(probe.target[0]):
        pass
