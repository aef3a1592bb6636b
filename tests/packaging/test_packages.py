"""What is in the packages; `tests/systemd` installs one."""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import pairvisor
from pairvisor.cli.commands import COMMANDS
from pairvisor.manifest import reference, template
from tests.packaging.built import ROOT, built, needs_tools

pytestmark = [pytest.mark.slow, needs_tools, pytest.mark.timeout(300)]
MANUALS = ("man1/pairvisor.1.gz", "man5/pairvisor.toml.5.gz", "man7/pairvisor-sidecars.7.gz")
OF_SIDECARS = {template.Template, template.Parameter, template.Injection}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory)


@pytest.fixture(scope="module")
def tree(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    deb = next(dist.glob("*.deb"))
    subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True)
    return folder


def said(*command: str, **how: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def test_all_kinds_are_there(dist: Path) -> None:
    version = pairvisor.__version__
    names = sorted(path.name for path in dist.iterdir())
    kinds = [
        f"pairvisor-{version}-py3-none-any.whl",
        f"pairvisor-{version}.tar.gz",
        "pairvisor.pyz",
    ]
    assert set(kinds) <= set(names)
    assert any(name.startswith(f"pairvisor_{version}_") and name.endswith(".deb") for name in names)
    if shutil.which("rpmbuild"):
        assert any(name.endswith(".rpm") for name in names)


def test_lintian_finds_nothing(dist: Path) -> None:
    if not shutil.which("lintian"):
        pytest.skip("lintian is missing")
    assert said("lintian", "--fail-on=warning", str(next(dist.glob("*.deb")))) == ""


def test_the_manual_pages_name_each_command_and_key(tree: Path) -> None:
    first, second, third = (
        gzip.decompress((tree / "usr/share/man" / page).read_bytes()) for page in MANUALS
    )
    for name in COMMANDS:
        assert f".SS \\fBpairvisor {name}\\fR\n".encode() in first
    for table, keys in reference.KEYS.items():
        for key in keys:
            page = third if table in OF_SIDECARS else second
            assert f".TP\n\\fB{key}\\fR\n".encode() in page


@pytest.mark.skipif(not shutil.which("man"), reason="man is missing")
def test_the_manual_pages_are_set_without_a_warning(tree: Path) -> None:
    env = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    for page in MANUALS:
        command = ["man", "--warnings", "-l", str(tree / "usr/share/man" / page)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        assert done.stderr == ""


def test_it_brings_what_it_needs(tree: Path) -> None:
    """Whatever Python packages the machine has, and for each Python that it depends on."""
    libraries = tree / "usr/lib/pairvisor"
    script = (
        f"import sys; sys.path.insert(0, {str(libraries)!r}); from pairvisor.__main__ import main"
    )
    run = [sys.executable, "-BEsP", "-S", "-c", f"{script}; main()", "--version"]
    assert said(*run) == f"pairvisor {pairvisor.__version__}\n"
    plan = [*run[:-1], "plan", "-f", str(ROOT / "examples/hello/pairvisor.toml")]
    assert "primary" in said(*plan)
    for python in ("311", "312", "313", "314"):
        assert list(libraries.glob(f"msgspec/*.cpython-{python}-*.so"))


def test_what_is_packed_is_as_old_as_the_commit(dist: Path) -> None:
    """And nothing says who built it, where and when: the same commit gives the same files."""
    epoch = int(said("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        found = {(member.mtime, member.uid, member.uname) for member in archive}
    assert found == {(epoch, 0, "root")}
    command = ["dpkg-deb", "--fsys-tarfile", str(next(dist.glob("*.deb")))]
    listed = subprocess.run(command, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(listed.stdout)) as archive:
        assert {(member.mtime, member.uid) for member in archive} == {(epoch, 0)}
    if shutil.which("rpmbuild"):
        query = ["rpm", "-qp", "--qf", "%{BUILDTIME} %{BUILDHOST}"]
        assert said(*query, str(next(dist.glob("*.rpm")))) == f"{epoch} reproducible"


def test_the_zipapp_runs_a_group(dist: Path, tmp_path: Path) -> None:
    (tmp_path / "pairvisor.toml").write_text('name = "z"\n[primary]\ncommand = "sleep 1000"')
    own = {"XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | own
    program = [sys.executable, str(dist / "pairvisor.pyz")]
    assert said(*program, "--version", env=env).startswith("pairvisor ")
    said(*program, "up", "-d", cwd=tmp_path, env=env)
    try:
        assert "running, ready" in said(*program, "status", cwd=tmp_path, env=env)
        assert "has taken over from" in said(*program, "reexec", cwd=tmp_path, env=env)
    finally:
        said(*program, "down", cwd=tmp_path, env=env)


def test_the_rpm_has_the_same_files(dist: Path, tree: Path) -> None:
    if not shutil.which("rpmbuild"):
        pytest.skip("rpmbuild is missing")
    listed = set(said("rpm", "-qpl", str(next(dist.glob("*.rpm")))).splitlines())
    files = {f"/{path.relative_to(tree)}" for path in tree.rglob("*") if path.is_file()}
    debians = ("/usr/share/lintian/", "/usr/share/python3/")
    assert {file for file in files if not file.startswith(debians)} <= listed
