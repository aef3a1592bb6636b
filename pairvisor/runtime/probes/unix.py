"""`unix`: a connection is accepted on that socket."""

from pairvisor.manifest.group import Probe
from pairvisor.runtime.probes import About, connect


async def look(probe: Probe, about: About) -> None:
    async with connect.unix(probe.target[0]):
        pass
