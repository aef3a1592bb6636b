"""`log`: a line of the member's output has matched."""

from pairvisor.manifest.group import Probe
from pairvisor.runtime.probes import About


async def look(probe: Probe, about: About) -> None:
    await about.log_matched.wait()
