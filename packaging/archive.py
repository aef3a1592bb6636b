"""pairvisor.pyz: one file, which runs on each of the supported Pythons.

Its libraries are a zip in the zip: Python reads the outer one's contents at each start, and a
library in C can't be imported from a zip at all. `unpacking` unpacks the inner one, once.
"""

import hashlib
import io
import os
import time
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

UNPACKING = Path(__file__).with_name("unpacking.py")
SHEBANG = b"#!/usr/bin/env python3\n"


def build(site: Path, target: Path, pythons: Iterable[str], epoch: int) -> None:
    """From a folder with all modules, for these Pythons on a machine like this one; the files are
    dated `epoch`, seconds since 1970."""
    modules = io.BytesIO()
    with ZipFile(modules, "w", ZIP_DEFLATED) as inner:
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            inner.writestr(_entry(str(path.relative_to(site)), epoch), path.read_bytes())
    first = UNPACKING.read_text()
    first = first.replace("@DIGEST@", hashlib.sha256(modules.getvalue()).hexdigest())
    first = first.replace("@PYTHONS@", " ".join(pythons))
    first = first.replace("@MACHINE@", os.uname().machine)
    with target.open("wb") as file:
        file.write(SHEBANG)
        with ZipFile(file, "w", ZIP_STORED) as outer:
            outer.writestr(_entry("__main__.py", epoch), first)
            outer.writestr(_entry("modules.zip", epoch), modules.getvalue())
    target.chmod(0o755)


def _entry(name: str, epoch: int) -> ZipInfo:
    entry = ZipInfo(name, time.gmtime(epoch)[:6])
    entry.compress_type = ZIP_STORED if name.endswith(".zip") else ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
