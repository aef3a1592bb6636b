"""`file`: the file exists."""

import os

from pairvisor.manifest.group import Probe
from pairvisor.runtime.probes import About, ProbeFailedError


async def look(probe: Probe, about: About) -> None:
    if not os.path.exists(probe.target[0]):
        raise ProbeFailedError("there is no such file")
