"""Write the figures of a result file into docs/performance.md, between their markers.

    python tests/bench/page.py results.json
"""

import json
import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/performance.md"
ROWS = (("up", "up_ms"), ("crash to restart of one", "restart_ms"), ("down", "down_ms"))


def figure(part: dict | None) -> str:
    return "-" if not part else f"{part['median']:g} ({part['min']:g} to {part['max']:g})"


def lifecycle(peers: dict) -> str:
    sizes = [("3", "3 members"), ("100", "100 members")]
    head = ["supervisor", *(f"{what}, {size}" for what, _ in ROWS for _, size in sizes)]
    lines = [head, ["---"] * len(head)]
    for name, peer in peers.items():
        found = peer["lifecycle"]
        cells = [figure(found[n].get(key)) for _, key in ROWS for n, _ in sizes]
        lines.append([f"{name} {peer['version']}", *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def pump(peers: dict) -> str:
    loads = [("1x", "one writer of 500 MB"), ("10x", "ten of 50 MB")]
    head = ["supervisor", *(f"{load}: {what}" for _, load in loads for what in ("MB/s", "CPU s"))]
    lines = [[*head, "lost"], ["---"] * (len(head) + 1)]
    for name, peer in peers.items():
        found = [peer["pump"][load] for load, _ in loads]
        cells = [figure(part[key]) for part in found for key in ("mb_per_s", "cpu_s")]
        lost = max((part["lost_bytes"] or {"max": 0})["max"] for part in found)
        lines.append([f"{name} {peer['version']}", *cells, f"{lost / 1e6:g} MB" if lost else "0"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    data = json.loads(Path(sys.argv[1]).read_text())
    machine = data["machine"]
    kernel, python = (".".join(machine[what].split(".")[:2]) for what in ("kernel", "python"))
    about = f"{machine['cores']} cores ({machine['cpu']}), Linux {kernel}, Python {python}"
    page = PAGE.read_text()
    for part, marker, table in (("lifecycle", "figures", lifecycle), ("pump", "pump", pump)):
        peers = {n: p for n, p in data["peers"].items() if part in p}
        if peers:
            text = f"{about}\n\n{table(peers)}"
            pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- end -->)", re.DOTALL)
            page = pattern.sub(lambda m, text=text: f"{m[1]}\n{text}\n\n{m[2]}", page)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
