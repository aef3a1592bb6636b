"""Write the figures of a result file into docs/performance.md, between its markers.

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


def main() -> None:
    data = json.loads(Path(sys.argv[1]).read_text())
    machine = data["machine"]
    kernel, python = (".".join(machine[what].split(".")[:2]) for what in ("kernel", "python"))
    about = f"{machine['cores']} cores ({machine['cpu']}), Linux {kernel}, Python {python}"
    text = f"{about}\n\n{lifecycle(data['peers'])}"
    page = PAGE.read_text()
    pattern = re.compile(r"(<!-- figures -->\n).*?(<!-- end -->)", re.DOTALL)
    PAGE.write_text(pattern.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page))


if __name__ == "__main__":
    main()
