"""`exec`: the command exits 0. It runs as the member does, and its tree ends with it."""

from pairvisor.manifest.group import Probe
from pairvisor.runtime import commands
from pairvisor.runtime.children import as_member
from pairvisor.runtime.probes import About, ProbeFailedError


async def look(probe: Probe, about: About) -> None:
    owner = f"{about.member.name}/{about.purpose}"
    command = as_member(about.member, probe.target)
    passed, detail = await commands.run(about.children, owner, command)
    if not passed:
        raise ProbeFailedError(detail)
