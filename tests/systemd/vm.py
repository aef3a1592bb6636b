"""A machine with cgroup v2 and all its controllers, for tests: a program that runs a command there.

`PAIRVISOR_VM` names it, with words if it needs some: `$PAIRVISOR_VM -i FOLDER -- COMMAND` has to
run COMMAND as root, under systemd, with FOLDER at the same path, and to end with its status. It
needs a Python with this one's minor version at /usr/bin/python3.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

VM = shlex.split(os.environ.get("PAIRVISOR_VM", ""))
needs_vm = pytest.mark.skipif(
    not VM, reason="PAIRVISOR_VM names no program that runs a command in a VM (tests/systemd/vm.py)"
)
LEFT_OUT = shutil.ignore_patterns("__pycache__", "pip*", "mypy*", "ruff*", "grpc*", "hypothesis*")


def run(folder: Path, script: str) -> str:
    """What a script in `folder` writes there; it has `pairvisor`, and $UNIT for one as a unit."""
    site = Path(msgspec.__file__).parent.parent
    root = Path(__file__).parent.parent.parent
    shutil.copytree(site, folder / "site", ignore=LEFT_OUT)
    shutil.copytree(root / "pairvisor", folder / "site/pairvisor", dirs_exist_ok=True)
    return run_plain(
        folder,
        f"export PYTHONPATH={folder}/site PYTHONDONTWRITEBYTECODE=1\n"
        'pairvisor() { /usr/bin/python3 -m pairvisor "$@"; }\n'
        'UNIT="systemd-run --quiet --wait --pipe -p Delegate=yes -E PYTHONPATH=$PYTHONPATH'
        f' -p WorkingDirectory={folder} /usr/bin/python3 -m pairvisor"\n{script}',
    )


def run_plain(folder: Path, script: str) -> str:
    """What a script in `folder` writes there; it has what is in the folder, and no pairvisor."""
    (folder / "script").write_text(f"cd {folder}\n{script}")
    ran = subprocess.run(
        [*VM, "-i", str(folder), "--", "bash", str(folder / "script")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    sys.stdout.write(ran.stdout)
    assert ran.returncode == 0, ran.stdout
    return ran.stdout
