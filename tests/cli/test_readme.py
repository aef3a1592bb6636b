"""README.md shows what is so: its manifest loads, its output is what `up` says, its links lead."""

import os
import re
import signal
from pathlib import Path

import pytest

from pairvisor.manifest.load import load
from tests.cli.conftest import Cli, Start
from tests.cli.test_hello import Hello

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert match is not None
    return match[1]


def test_the_manifest_loads(tmp_path: Path) -> None:
    for program in ("gunicorn", "nginx"):
        (tmp_path / program).symlink_to("/bin/sh")
    manifest = tmp_path / "pairvisor.toml"
    manifest.write_text('name = "shop"\n' + block("toml"))
    environ = {"PATH": str(tmp_path), "XDG_RUNTIME_DIR": "/run/user/1000"}
    group = load(manifest, environ, os.geteuid())
    assert list(group.members) == ["tls", "primary"]
    assert group.warnings == ()


def shape(said: str) -> tuple[list[str], list[str]]:
    """Whose lines are in order, and the members', which come when they come."""
    said = re.sub(r"/\S*/hello/", "…/hello/", said)
    lines = [re.sub(r"\d+(\.\d+)?", "N", line) for line in said.splitlines()]
    own = [line for line in lines if line.startswith("pairvisor | ")]
    return own, sorted(line for line in lines if not line.startswith("pairvisor | "))


def test_the_output_is_what_up_says(cli: Cli, start: Start) -> None:
    group = Hello(cli, start).group
    said = []
    for step in (signal.SIGKILL, signal.SIGINT):
        match = group.read_until(r"(?s).*?group hello is ready, after [^\n]*\n")
        said.append(match[0])
        who = group.processes("metrics")[0] if step == signal.SIGKILL else group.guard
        os.kill(who, step)
    assert group.wait() == 0
    assert shape("".join(said) + group.said) == shape(block("text"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link
