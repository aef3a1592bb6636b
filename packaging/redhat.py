"""The rpm package: the same files as the Debian package has."""

import os
import shutil
import subprocess
from pathlib import Path

import tree
import wheels

SPEC = Path(__file__).with_name("rpm") / "pairvisor.spec"
LAYOUT = tree.Layout(defaults="etc/sysconfig/pairvisor", zsh="usr/share/zsh/site-functions")
OWN = ("etc/pairvisor", tree.MODULES, tree.DOCUMENTS)  # folders that are nobody else's


def build(site: Path, folder: Path, release: tree.Release, machine: str, work: Path) -> Path:
    """The package, in `folder`; `work` is a folder for what is made on the way."""
    root, top = work / "redhat", work / "rpmbuild"
    tree.build(root, site, release, LAYOUT)
    spec = SPEC.read_text()
    for name, value in (
        ("TREE", str(root)),
        ("VERSION", release.version),
        ("MAINTAINER", release.maintainer),
        ("MACHINE", machine),
        ("OLDEST", wheels.pythons()[0]),
        ("TOO_NEW", wheels.too_new()),
        ("REEXEC", tree.reexec(LAYOUT).rstrip("\n")),
        ("FILES", _files(root)),
    ):
        spec = spec.replace(f"@{name}@", value)
    (work / SPEC.name).write_text(spec)
    _run(work / SPEC.name, top, release)
    made = next(top.glob("RPMS/*/*.rpm"))
    target = folder / made.name
    shutil.copy(made, target)
    shutil.rmtree(root)
    return target


def _run(spec: Path, top: Path, release: tree.Release) -> None:
    macros = {
        "_topdir": str(top),
        "_buildhost": "reproducible",
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
    }
    words = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(release.epoch)}
    subprocess.run(
        ["rpmbuild", "-bb", "--quiet", *words, str(spec)], env=env, check=True, capture_output=True
    )


def _files(root: Path) -> str:
    """The lines of %files: whole folders where they are ours, else file by file."""
    lines = ["%defattr(-,root,root)", f"%config(noreplace) /{LAYOUT.defaults}"]
    lines += [f"/{folder}" for folder in OWN]
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = str(path.relative_to(root))
        if name != LAYOUT.defaults and not name.startswith(tuple(f"{own}/" for own in OWN)):
            lines.append(f"/{name}")
    return "\n".join(lines)
