"""A sound manifest costs little: start-up is what people wait for."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, sys
from pairvisor.manifest.load import load
load(sys.argv[1], os.environ, 1000)
print(*sys.modules)
"""
HEAVY = {
    "difflib",
    "shlex",
    "pairvisor.manifest.explain",
    "pairvisor.manifest.hints",
    "pairvisor.manifest.locate",
    "pairvisor.manifest.neighbours",
    "pairvisor.manifest.reference",
    "pairvisor.manifest.schema",
}


def test_only_problems_import_what_explains_them(tmp_path: Path) -> None:
    manifest = tmp_path / "shop.toml"
    manifest.write_text(
        '[primary]\ncommand = "sleep 100"\nready = { unix = "a" }\n'
        '[sidecars.a]\ncommand = ["sleep", "${dir}"]\nafter = ["primary"]\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, manifest], capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(done.stdout.split())
