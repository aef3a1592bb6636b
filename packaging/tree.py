"""The files of an installed pairvisor, as both kinds of packages have them.

All modules are in /usr/lib/pairvisor, where no other program's Python looks.
"""

import gzip
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import manpages

HERE = Path(__file__).parent
ROOT = HERE.parent
MODULES = "usr/lib/pairvisor"
DOCUMENTS = "usr/share/doc/pairvisor"
LICENCE = re.compile(r"LICEN[CS]E|NOTICE|COPYING", re.IGNORECASE)
APACHE = "/usr/share/common-licenses/Apache-2.0"
SEE = """
## Files

| file | |
| --- | --- |
| `/etc/pairvisor/NAME.toml` | the manifest of the system's group NAME |
| `~/.config/pairvisor/NAME.toml` | of a user's group, for the user's own unit |

## See also

"""
PAGES = {
    "cli.md": manpages.Page(
        "pairvisor",
        1,
        "run a primary process and its sidecars as one group",
        "`pairvisor` [`--version`] [`--help`] *COMMAND* [*OPTIONS*] [*ARGUMENTS*]",
    ),
    "manifest.md": manpages.Page(
        "pairvisor.toml",
        5,
        "the manifest of a group of processes",
        "`pairvisor.toml`, `/etc/pairvisor/`*NAME*`.toml`",
    ),
}


class Release(NamedTuple):
    """What is packed: a version, as of a moment in seconds since 1970, and who answers for it."""

    version: str
    epoch: int
    maintainer: str


class Layout(NamedTuple):
    """Where the two kinds differ."""

    defaults: str
    zsh: str


def build(root: Path, site: Path, release: Release, layout: Layout) -> None:
    """Put everything below `root`; `site` is the folder with all modules."""
    shutil.copytree(site, root / MODULES)
    _put(root / "usr/bin/pairvisor", (HERE / "launcher").read_text(), 0o755)
    _put(root / layout.defaults, (HERE / "default").read_text())
    (root / "etc/pairvisor").mkdir()
    _put_units(root)
    _put_completions(root, layout.zsh)
    for name, page in PAGES.items():
        text = (ROOT / "docs" / name).read_text() + SEE + _others(page)
        made = manpages.manual_page(page, text, release.version, release.epoch)
        put_compressed(root / f"usr/share/man/man{page.section}/{page.name}.{page.section}", made)
    put_compressed(root / DOCUMENTS / "changelog", (ROOT / "CHANGELOG.md").read_text())
    _put(root / DOCUMENTS / "copyright", _copyright(site))
    _put(root / DOCUMENTS / "examples/hello.toml", _example())


def reexec(layout: Layout) -> str:
    """The part of a script that has the groups re-execute themselves, as the defaults say."""
    text = (HERE / "reexec.sh").read_text().replace("@DEFAULT@", f"/{layout.defaults}")
    return textwrap.indent(text, "    ")


def _others(page: manpages.Page) -> str:
    """The other pages, and where the rest is told."""
    pages = [f"`{other.name}`({other.section})" for other in PAGES.values() if other != page]
    return ", ".join([*pages, "`systemd.service`(5)"]) + "\n"


def _put(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def put_compressed(path: Path, text: str) -> None:
    """As NAME.gz, without a date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def _put_units(root: Path) -> None:
    units = ROOT / "systemd"
    for path in units.glob("*.service"):
        _put(root / "usr/lib/systemd/system" / path.name, path.read_text())
    for path in units.glob("user/*.service"):
        _put(root / "usr/lib/systemd/user" / path.name, path.read_text())
    for kind in ("sysusers", "tmpfiles"):
        text = (units / f"pairvisor.{kind}").read_text()
        _put(root / f"usr/lib/{kind}.d/pairvisor.conf", text)


def _put_completions(root: Path, zsh: str) -> None:
    for shell, path in (
        ("bash", "usr/share/bash-completion/completions/pairvisor"),
        ("zsh", f"{zsh}/_pairvisor"),
        ("fish", "usr/share/fish/vendor_completions.d/pairvisor.fish"),
    ):
        command = [sys.executable, "-m", "pairvisor", "completion", shell]
        made = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        _put(root / path, made.stdout)


def _example() -> str:
    """A group of nothing but what is on each machine."""
    return (HERE / "hello.toml").read_text()


def _copyright(site: Path) -> str:
    """pairvisor's licence, and those of all that is packed with it, as their wheels have them."""
    head = f"pairvisor is under the Apache License 2.0: {APACHE} on a Debian system.\n"
    parts = [f"{head}What it needs is packed with it, in /{MODULES}:\n"]
    for folder in sorted(site.glob("*.dist-info")):
        name, version = folder.name.removesuffix(".dist-info").split("-")
        if name != "pairvisor":
            files = sorted(path for path in folder.rglob("*") if LICENCE.match(path.name))
            texts = [_licence(path) for path in files if path.is_file()]
            parts.append(f"{'-' * 72}\n{name} {version}\n\n" + "\n".join(texts))
    return "\n".join(parts)


def _licence(path: Path) -> str:
    text = path.read_text()
    is_apache = text.lstrip().startswith("Apache License")
    return f"The Apache License 2.0: {APACHE}\n" if is_apache else text
