"""What is in the packages, by the tools that install them."""

import gzip
import io
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from pairvisor import __version__
from pairvisor.cli.commands import COMMANDS
from pairvisor.manifest import reference
from tests.packaging.conftest import EPOCH, ROOT, the_one

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is missing")
SCRIPTS = ("./postinst", "./postrm", "./prerm")
MODULES = "./usr/lib/pairvisor/"


def files_of(deb: Path, part: str = "--fsys-tarfile") -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """What it holds, by name: its files, or with --ctrl-tarfile its scripts."""
    done = subprocess.run(["dpkg-deb", part, str(deb)], capture_output=True, check=True)
    found = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            found[member.name] = (member, file.read() if file else b"")
    return found


def test_each_form_is_there(built: Path) -> None:
    names = {path.name.replace(__version__, "V") for path in built.iterdir()}
    assert names >= {"pairvisor-V-py3-none-any.whl", "pairvisor-V.tar.gz", "pairvisor.pyz"}
    if shutil.which("dpkg-deb"):
        assert any(name.startswith("pairvisor_V-1_") for name in names)
    if shutil.which("rpmbuild"):
        assert any(name.startswith("pairvisor-V-1.") for name in names)


def test_the_wheel_is_the_package_and_nothing_else(built: Path) -> None:
    names = set(ZipFile(the_one(built, "*.whl")).namelist())
    ours = {str(path.relative_to(ROOT)) for path in ROOT.glob("pairvisor/**/*.py")}
    assert {name for name in names if ".dist-info/" not in name} == {*ours, "pairvisor/py.typed"}


def test_of_the_sdist_all_can_be_built_and_tested(built: Path) -> None:
    with tarfile.open(the_one(built, "*.tar.gz")) as archive:
        members = archive.getmembers()
    names = {member.name.partition("/")[2] for member in members}
    for folder in ("docs", "examples", "packaging", "pairvisor", "systemd", "tests"):
        there = {
            str(path.relative_to(ROOT))
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert there - names == set()
    assert {"dev", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"} <= names
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(EPOCH, 0, "root")}


@needs_dpkg
def test_files_are_roots_and_as_old_as_the_sources(built: Path) -> None:
    for name, (member, _) in files_of(the_one(built, "*.deb")).items():
        assert (member.uid, member.gid) == (0, 0), name
        assert member.mtime <= EPOCH, name
        executable = name.endswith(("/bin/pairvisor", ".rtupdate")) or member.isdir()
        assert stat.S_IMODE(member.mode) == (0o755 if executable else 0o644), name


@needs_dpkg
def test_each_python_finds_its_own_library(built: Path) -> None:
    names = files_of(the_one(built, "*.deb"))
    versions = {n.split("cpython-")[1][:3] for n in names if "/msgspec/_core.cpython-" in n}
    assert versions == {"311", "312", "313"}
    control = files_of(the_one(built, "*.deb"), "--ctrl-tarfile")["./control"][1].decode()
    assert "python3 (>= 3.11), python3 (<< 3.14~)" in control


@needs_dpkg
def test_manual_pages_name_each_command_and_key(built: Path) -> None:
    files = files_of(the_one(built, "*.deb"))
    commands = gzip.decompress(files["./usr/share/man/man1/pairvisor.1.gz"][1]).decode()
    for name in COMMANDS:
        assert f".SS \\fBpairvisor {name}\\fR\n" in commands
    manifest = gzip.decompress(files["./usr/share/man/man5/pairvisor.toml.5.gz"][1]).decode()
    for keys in reference.KEYS.values():
        for key in keys:
            assert f".TP\n\\fB{key}\\fR\n" in manifest


@needs_dpkg
def test_whose_work_is_packed_is_said(built: Path) -> None:
    files = files_of(the_one(built, "*.deb"))
    said = files["./usr/share/doc/pairvisor/copyright"][1].decode()
    packed = {n.removeprefix(MODULES).split("/")[0] for n in files if n.startswith(MODULES)}
    libraries = {n for n in packed if n.endswith(".dist-info")} - {
        f"pairvisor-{__version__}.dist-info"
    }
    assert len(libraries) == 9
    for name in libraries:
        title = name.removesuffix(".dist-info").replace("-", " ")
        _, _, licence = said.partition(f"\n{title}\n\n")
        assert licence.strip(), name
        assert not licence.strip().startswith("-----"), name


@needs_dpkg
@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is missing")
def test_lintian_has_nothing_to_say(built: Path) -> None:
    command = ["lintian", "--fail-on=warning", "--allow-root", str(the_one(built, "*.deb"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@needs_dpkg
@pytest.mark.skipif(not shutil.which("rpmbuild"), reason="rpmbuild is missing")
def test_the_rpm_has_the_same_files(built: Path) -> None:
    rpm = str(the_one(built, "*.rpm"))
    listed = subprocess.run(["rpm", "-qpl", rpm], capture_output=True, text=True, check=True)
    ours = {f".{name}" for name in listed.stdout.split()}
    files = {n for n, (member, _) in files_of(the_one(built, "*.deb")).items() if member.isfile()}
    assert {n for n in files if n.startswith(MODULES)} <= ours
    assert files - ours == {
        "./etc/default/pairvisor",
        "./usr/share/doc/pairvisor/changelog.Debian.gz",
        "./usr/share/lintian/overrides/pairvisor",
        "./usr/share/python3/runtime.d/pairvisor.rtupdate",
        "./usr/share/zsh/vendor-completions/_pairvisor",
    }
    assert {"./etc/sysconfig/pairvisor", "./usr/share/zsh/site-functions/_pairvisor"} <= ours


@needs_dpkg
@pytest.mark.skipif(not shutil.which("rpmbuild"), reason="rpmbuild is missing")
def test_scripts_are_what_a_shell_can_read(built: Path) -> None:
    """The upgrade's, too: the part that both have is the same."""
    control = files_of(the_one(built, "*.deb"), "--ctrl-tarfile")
    scripts = [control[name][1].decode() for name in SCRIPTS]
    query = ["rpm", "-qp", "--qf", "%{POSTIN}\n%{PREUN}\n%{POSTUN}\n%{POSTTRANS}\n"]
    rpm = str(the_one(built, "*.rpm"))
    scripts.append(subprocess.run([*query, rpm], capture_output=True, text=True, check=True).stdout)
    for script in scripts:
        assert not any(f"@{name}@" in script for name in ("REEXEC", "DEFAULT", "TREE"))
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert [("--signal=USR2" in script) for script in scripts] == [True, False, False, True]
