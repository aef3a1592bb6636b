"""A group in which nothing happens costs nothing.

| promise | test |
| --- | --- |
| no wake-up without a cause | test_nobody_wakes_up |
"""

import select
from pathlib import Path

from tests.process.contained import each_containment, wrapper
from tests.support import up

SECONDS = 2.0


def switches(pid: int) -> dict[str, int]:
    """How often each thread of a process gave the processor away of its own."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        found[task.name] = int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


@each_containment()
def test_nobody_wakes_up(tmp_path: Path, containment: str) -> None:
    manifest = """
    [sidecars.side]
    command = ["sleep", "inf"]
    [primary]
    command = ["sleep", "inf"]
    """
    with up(tmp_path, manifest, *wrapper(containment)) as group:
        group.read_until("group test is ready")
        select.select([], [], [], SECONDS)  # what the start has left to do
        processes = (group.guard, group.supervisor)
        before = [switches(pid) for pid in processes]
        select.select([], [], [], SECONDS)
        assert [switches(pid) for pid in processes] == before
