"""Groups of a box, as units."""

import json
import textwrap

from tests.systemd.box import Box

WEB = """
    [sidecars.tls]
    command = ["sh", "-c", "until test -e ${volume}/go; do sleep 0.01; done; touch ${run}/ok; exec sleep 1000"]
    ready = { file = "${run}/ok" }
    [sidecars.opener]
    command = ["sh", "-c", "touch ${volume}/go; exec sleep 1001"]
    [primary]
    command = ["sh", "-c", "echo hello; exec sleep 1002"]
"""  # noqa: E501


def write(box: Box, name: str, manifest: str) -> str:
    """The manifest of a group; its unit's name."""
    box.put(f"/etc/pairvisor/{name}.toml", textwrap.dedent(manifest))
    return f"pairvisor@{name}"


def drop_in(box: Box, unit: str, text: str) -> None:
    box.put(f"/etc/systemd/system/{unit}.service.d/test.conf", f"[Service]\n{text}\n")
    box.run("systemctl daemon-reload")


def main_pids(box: Box, name: str) -> dict[str, int]:
    """Of each member."""
    members = json.loads(box.run(f"pairvisor status --json -g {name}"))["members"]
    return {member["name"]: int(member["pid"]) for member in members}


def processes(box: Box, unit: str) -> list[str]:
    """All that are in the unit's cgroup, and below that."""
    where = f"-path '*/{unit}.service*' -name cgroup.procs"
    return box.run(f"find /sys/fs/cgroup {where} -exec cat {{}} +").split()


def users(box: Box, unit: str) -> set[str]:
    """Whose they are."""
    return set(box.run(f"ps -o user:32= -p {','.join(processes(box, unit))}").split())


def said(box: Box, name: str, member: str, count: int) -> list[str]:
    """Its first lines in the journal, once there are so many."""
    return [entry["MESSAGE"] for entry in box.entries(count, "-t", f"{name}/{member}")]
