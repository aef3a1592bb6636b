"""The Debian package, made by dpkg-deb alone.

One package is for each Python from Debian 12's 3.11 on that the libraries have wheels for: the
package of a distribution that goes from one to the next need not be another one. So it depends on
a range of Pythons, not on one.
"""

import hashlib
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import tree
import wheels

HERE = Path(__file__).with_name("debian")
LAYOUT = tree.Layout(defaults="etc/default/pairvisor", zsh="usr/share/zsh/vendor-completions")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SCRIPTS = ("postinst", "prerm", "postrm")


def build(site: Path, folder: Path, release: tree.Release, machine: str, work: Path) -> Path:
    """The package, in `folder`; `work` is a folder for what is made on the way."""
    architecture = ARCHITECTURES[machine]
    root = work / "debian"
    tree.build(root, site, release, LAYOUT)
    changelog = root / tree.DOCUMENTS / "changelog.Debian"
    tree.put_compressed(changelog, _changelog(release))
    _put(root / "usr/share/python3/runtime.d/pairvisor.rtupdate", _text("rtupdate"), 0o755)
    _put(root / "usr/share/lintian/overrides/pairvisor", _text("lintian-overrides"), 0o644)
    _put_control(root, release, architecture)
    target = folder / f"pairvisor_{release.version}-1_{architecture}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(target)]
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(release.epoch)}
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(root)
    return target


def _text(name: str) -> str:
    return (HERE / name).read_text()


def _put(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _put_control(root: Path, release: tree.Release, architecture: str) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    sums = "".join(
        f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n"
        for path in files
        if path != root / LAYOUT.defaults
    )
    control = _text("control")
    for name, value in (
        ("VERSION", release.version),
        ("ARCHITECTURE", architecture),
        ("MAINTAINER", release.maintainer),
        ("SIZE", str(sum(-(-path.stat().st_size // 1024) for path in files))),
        ("OLDEST", wheels.pythons()[0]),
        ("TOO_NEW", wheels.too_new()),
    ):
        control = control.replace(f"@{name}@", value)
    _put(root / "DEBIAN/control", control, 0o644)
    _put(root / "DEBIAN/md5sums", sums, 0o644)
    _put(root / "DEBIAN/conffiles", f"/{LAYOUT.defaults}\n", 0o644)
    reexec = tree.reexec(LAYOUT)
    for name in SCRIPTS:
        _put(root / "DEBIAN" / name, _text(name).replace("@REEXEC@\n", reexec), 0o755)


def _changelog(release: tree.Release) -> str:
    date = datetime.fromtimestamp(release.epoch, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return (
        f"pairvisor ({release.version}-1) unstable; urgency=medium\n\n"
        "  * The upstream release; changelog.gz says what is new.\n\n"
        f" -- {release.maintainer}  {date}\n"
    )
