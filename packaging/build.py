"""Builds all that is released: `./dev package [--out FOLDER] [--only KIND]…`.

| kind | what |
| --- | --- |
| wheel | the wheel and the source distribution |
| pyz | pairvisor.pyz: one file that runs with the machine's Python |
| deb | the Debian package |
| rpm | the RPM package, where rpmbuild is installed |

The last three hold what pairvisor needs: the wheels that requirements.txt names by hash, for
each Python that is meant; the one compiled library has a file for each. The version is
`pairvisor.__version__`; times in the files are those of the last commit (SOURCE_DATE_EPOCH), so
that the same commit gives the same files.
"""

import argparse
import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import archive
import manpages
import wheels

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "packaging"
sys.path.insert(0, str(ROOT))

from pairvisor import __version__  # noqa: E402 - it need not be installed

CONTROL = HERE / "debian/control.in"
KINDS = ("wheel", "pyz", "deb", "rpm")
LIBRARIES = "usr/lib/pairvisor"
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/pairvisor",
    "zsh": "usr/share/zsh/vendor-completions/_pairvisor",
    "fish": "usr/share/fish/vendor_completions.d/pairvisor.fish",
}
MANUALS = {
    "cli.md": manpages.Page(
        "pairvisor",
        1,
        "run a process and its sidecars as one group",
        "`pairvisor` [`--version`] [`--help`] *COMMAND* [*OPTIONS*] [*ARGUMENTS*]",
    ),
    "manifest.md": manpages.Page(
        "pairvisor.toml",
        5,
        "a group of processes with one fate",
        "`pairvisor.toml`, `/etc/pairvisor/`*NAME*`.toml`",
    ),
    "sidecars.md": manpages.Page(
        "pairvisor-sidecars",
        7,
        "sidecars from templates, and those that a platform brings",
        "`/etc/pairvisor/sidecars/`*NAME*`.toml`, `/etc/pairvisor/inject.d/`*NAME*`.toml`",
    ),
}
SEE = """
## Files

| file | |
| --- | --- |
| `/etc/pairvisor/NAME.toml` | the manifest of the system's group NAME |
| `/etc/pairvisor/sidecars/NAME.toml` | the system's templates of sidecars |
| `/etc/pairvisor/inject.d/*.toml` | what comes into groups by their labels |
| `~/.config/pairvisor/NAME.toml` | of a user's group, for the user's own unit |

## See also

`pairvisor`(1), `pairvisor.toml`(5), `pairvisor-sidecars`(7), `systemd.service`(5), `journalctl`(1)
"""
COPIED = {
    "packaging/launcher": ("usr/bin/pairvisor", 0o755),
    "packaging/defaults": ("etc/default/pairvisor", 0o644),
    "systemd/pairvisor@.service": ("usr/lib/systemd/system/pairvisor@.service", 0o644),
    "systemd/pairvisor-root@.service": ("usr/lib/systemd/system/pairvisor-root@.service", 0o644),
    "systemd/user/pairvisor@.service": ("usr/lib/systemd/user/pairvisor@.service", 0o644),
    "systemd/pairvisor.sysusers": ("usr/lib/sysusers.d/pairvisor.conf", 0o644),
    "systemd/pairvisor.tmpfiles": ("usr/lib/tmpfiles.d/pairvisor.conf", 0o644),
    "packaging/debian/rtupdate": ("usr/share/python3/runtime.d/pairvisor.rtupdate", 0o755),
    "packaging/debian/copyright": ("usr/share/doc/pairvisor/copyright", 0o644),
    "packaging/debian/lintian-overrides": ("usr/share/lintian/overrides/pairvisor", 0o644),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./dev package", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist")
    parser.add_argument("--only", action="append", choices=KINDS, help="default: all")
    parser.add_argument("--lock", action="store_true", help="renew requirements.txt, no more")
    parser.add_argument("--version", default=__version__, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lock:
        with tempfile.TemporaryDirectory() as folder:
            wheels.lock(Path(folder))
        return 0
    os.environ.setdefault("SOURCE_DATE_EPOCH", _time_of_the_commit())
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        builder = Builder(Path(folder), out, options.version)
        for kind in options.only or KINDS:
            builder.build(kind)
    return 0


class Builder:
    """Builds in a folder of its own, for another one."""

    def __init__(self, folder: Path, out: Path, version: str) -> None:
        self._folder = folder
        self._out = out
        self._version = version

    def build(self, kind: str) -> None:
        if kind == "rpm" and not shutil.which("rpmbuild"):
            print("no RPM: rpmbuild is not installed (apt-get install rpm)")
            return
        {"wheel": self._wheel, "pyz": self._pyz, "deb": self._deb, "rpm": self._rpm}[kind]()

    def _made(self, path: Path) -> None:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")

    def _wheel(self) -> None:
        source = self._sources()
        _run(sys.executable, "-m", "build", "--outdir", str(self._out), str(source))
        _date(self._out / f"pairvisor-{self._version}.tar.gz")
        for path in sorted(self._out.glob(f"pairvisor-{self._version}*")):
            self._made(path)

    def _sources(self) -> Path:
        """What git has, without leftovers of builds and tests, as the version that is asked for."""
        source = self._folder / "source"
        if not source.exists():
            listed = _said("git", "-C", str(ROOT), "ls-files", "-z").split("\0")
            for name in filter(None, listed):
                if (ROOT / name).is_file():
                    (source / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(ROOT / name, source / name)
            init = source / "pairvisor/__init__.py"
            init.write_text(init.read_text().replace(f'"{__version__}"', f'"{self._version}"'))
        return source

    def _libraries(self) -> Path:
        """pairvisor and all that it needs, for each Python."""
        folder = self._folder / "libraries"
        if folder.exists():
            return folder
        found = self._folder / "wheels"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        source = str(self._sources())
        _run(*pip, "wheel", "--no-deps", "--wheel-dir", str(found), source)
        wheels.download(found)
        for wheel in sorted(found.glob("*.whl")):
            with zipfile.ZipFile(wheel) as zipped:
                zipped.extractall(folder)  # noqa: S202 - a zip file
        for library in folder.rglob("*.so"):
            _run("strip", "--strip-unneeded", str(library))
        for path in folder.rglob("*.pyi"):
            path.unlink()
        return folder

    def _pyz(self) -> None:
        target = self._out / "pairvisor.pyz"
        archive.build(self._libraries(), target, wheels.PYTHONS, _epoch())
        self._made(target)

    def _tree(self) -> Path:
        """The files where they are installed."""
        tree = self._folder / "tree"
        if tree.exists():
            return tree
        shutil.copytree(self._libraries(), tree / LIBRARIES)
        for name, (path, mode) in COPIED.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / path)
            (tree / path).chmod(mode)
        for folder in ("etc/pairvisor", "etc/pairvisor/inject.d", "etc/pairvisor/sidecars"):
            (tree / folder).mkdir()
        for shell, path in COMPLETIONS.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(self._completion(shell))
        for name, page in MANUALS.items():
            text = (ROOT / "docs" / name).read_text() + SEE
            made = manpages.manual_page(page, text, self._version, _epoch())
            manual = tree / f"usr/share/man/man{page.section}/{page.name}.{page.section}.gz"
            _write_zipped(manual, made.encode())
        documents = tree / "usr/share/doc/pairvisor"
        _write_zipped(documents / "CHANGELOG.md.gz", (ROOT / "CHANGELOG.md").read_bytes())
        _write_zipped(documents / "changelog.gz", self._debian_changes().encode())
        for each in [tree, *tree.rglob("*")]:
            each.chmod(0o755 if each.is_dir() or each.stat().st_mode & 0o100 else 0o644)
            os.utime(each, (_epoch(), _epoch()))
        return tree

    def _debian_changes(self) -> str:
        at = format_datetime(datetime.fromtimestamp(_epoch(), UTC))
        maintainer = re.search("^Maintainer: (.*)$", CONTROL.read_text(), re.MULTILINE)
        signed = f" -- {maintainer[1] if maintainer else ''}  {at}\n"
        head = f"pairvisor ({self._version}) stable; urgency=medium"
        return f"{head}\n\n  * See CHANGELOG.md.\n\n{signed}"

    def _completion(self, shell: str) -> str:
        env = {"PYTHONPATH": str(self._libraries()), "PATH": os.defpath}
        return _said(sys.executable, "-m", "pairvisor", "completion", shell, env=env)

    def _deb(self) -> None:
        tree = self._folder / "deb"
        shutil.copytree(self._tree(), tree, symlinks=True)
        control = tree / "DEBIAN"
        control.mkdir()
        architecture = _said("dpkg", "--print-architecture").strip()
        size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) >> 10
        filled = _filled(
            CONTROL,
            VERSION=self._version,
            ARCHITECTURE=architecture,
            NEXT=wheels.NEXT,
            SIZE=str(size),
        )
        (control / "control").write_text(filled)
        (control / "conffiles").write_text("/etc/default/pairvisor\n")
        sums = sorted(p for p in tree.rglob("*") if p.is_file() and control not in p.parents)
        listed = [f"{_md5(path)}  {path.relative_to(tree)}\n" for path in sums]
        (control / "md5sums").write_text("".join(listed))
        for script in ("postinst", "prerm", "postrm"):
            shutil.copy(HERE / "debian" / script, control / script)
            (control / script).chmod(0o755)
        target = self._out / f"pairvisor_{self._version}_{architecture}.deb"
        _run("dpkg-deb", "--root-owner-group", "--build", str(tree), str(target))
        self._made(target)

    def _rpm(self) -> None:
        spec = self._folder / "pairvisor.spec"
        filled = _filled(
            HERE / "pairvisor.spec.in",
            VERSION=self._version,
            NEXT=wheels.NEXT,
            TREE=str(self._tree()),
        )
        spec.write_text(filled)
        top = self._folder / "rpm"
        macros = (
            f"_topdir {top}",
            f"_rpmdir {self._out}",
            "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
            "use_source_date_epoch_as_buildtime 1",
            "_buildhost reproducible",
            "_binary_payload w6.xzdio",
        )
        words = [word for macro in macros for word in ("--define", macro)]
        _run("rpmbuild", "-bb", "--quiet", *words, str(spec))
        self._made(next(self._out.glob(f"pairvisor-{self._version}-1.*.rpm")))


def _date(sdist: Path) -> None:
    """setuptools leaves in it when it was made, and by whom."""
    content = io.BytesIO()
    with tarfile.open(sdist) as old, tarfile.open(fileobj=content, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid = _epoch(), 0, 0
            member.uname = member.gname = "root"
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    sdist.write_bytes(gzip.compress(content.getvalue(), mtime=_epoch()))


def _write_zipped(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as zipped:
        zipped.write(content)


def _filled(path: Path, **values: str) -> str:
    text = path.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _md5(path: Path) -> str:
    return _said("md5sum", str(path)).split()[0].lstrip("\\")


def _time_of_the_commit() -> str:
    return _said("git", "-C", str(ROOT), "log", "-1", "--format=%ct").strip()


def _epoch() -> int:
    """What the files are dated, in seconds since 1970."""
    return int(os.environ["SOURCE_DATE_EPOCH"])


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def _said(*command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
