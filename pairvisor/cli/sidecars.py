"""`pairvisor sidecars`: the templates that a manifest's sidecars can be made from."""

import os
import re
import shutil
import subprocess  # noqa: TID251 - asks programs for their versions; no group is here
import sys
from contextlib import suppress
from typing import Any

import click
import msgspec

from pairvisor.cli import documents, exits, options
from pairvisor.cli.completing import complete_templates
from pairvisor.cli.exits import fail
from pairvisor.cli.nearest import folder_above
from pairvisor.cli.screen import Screen
from pairvisor.cli.table import Cell, Column, lines
from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.origins import Origins
from pairvisor.manifest.parameters import written
from pairvisor.manifest.report import Report
from pairvisor.manifest.template import Parameter
from pairvisor.manifest.templates import Found, Templates

PATIENCE = 5.0  # seconds for a program to say its version
COLUMNS = (
    Column("NAME"),
    Column("CONCERN", rank=1),
    Column("INSTALLED"),
    Column("WHAT IT DOES", rank=2, least=20),
)
SYSTEM = ":/usr/local/sbin:/usr/sbin:/sbin"  # where Debian has some, but users don't look


class Sidecar(msgspec.Struct, frozen=True):
    """One template, for programs."""

    name: str
    concern: str
    summary: str
    file: str
    program: str
    installed: bool
    version: str | None
    install: str
    parameters: dict[str, Parameter]


@click.group("sidecars", invoke_without_command=True, subcommand_metavar="[show NAME]")
@options.as_json
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """List the sidecars that a manifest can use, and whether their programs are installed.

    They are templates: beside the nearest manifest, of this user, of the system, or shipped with
    pairvisor. `pairvisor sidecars show NAME` says what one takes.
    """
    if context.invoked_subcommand is not None:
        return
    templates = templates_here()
    found, problems = [], []
    for name in templates.names():
        try:
            found.append(find(templates, name))
        except ManifestError as error:
            problems += error.problems
    listed = _described(found)
    if as_json:
        documents.show(listed)
    else:
        _show(listed)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if problems:
        sys.exit(exits.BAD_MANIFEST)


@command.command("show")
@click.argument("name", shell_complete=complete_templates)
@options.as_json
def show(name: str, *, as_json: bool) -> None:
    """Say what a sidecar template takes, and how a manifest uses it."""
    try:
        found = find(templates_here(), name)
    except ManifestError as error:
        fail("\n".join(map(str, error.problems)), exits.BAD_MANIFEST)
    (described,) = _described([found])
    if as_json:
        documents.show(described)
        return
    click.echo(f"{name}: {described.summary}\nfrom {described.file}")
    click.echo(f"{described.program}: {_installed(described)}, by {described.install}\n")
    for each, parameter in described.parameters.items():
        click.echo(f"  {each} ({_kind(parameter)}): {parameter.description}")
    click.echo(f"\n{example(found)}", nl=False)


def _show(sidecars: list[Sidecar]) -> None:
    rows = [[Cell(s.name), Cell(s.concern), Cell(_installed(s)), Cell(s.summary)] for s in sidecars]
    for line in lines(Screen.of_stdout(), COLUMNS, rows):
        click.echo(line)


def find(templates: Templates, name: str) -> Found:
    """The template of this name. Raises ManifestError."""
    report = Report()
    found = templates.find(name, report)
    if found is None:
        raise ManifestError(report.problems(Origins([]).find))
    return found


def templates_here() -> Templates:
    """Those of the nearest manifest."""
    here = os.getcwd()
    return templates_at(folder_above(here) or here)


def templates_at(folder: str) -> Templates:
    """Those that a manifest in this folder can use."""
    return Templates(folder, os.environ, os.geteuid())


def example(found: Found) -> str:
    """How a manifest uses it, with what it needs."""
    given = {
        name: parameter.example
        for name, parameter in found.template.parameters.items()
        if parameter.default is None and not parameter.optional
    }
    return as_table(found.name, found.name, given)


def as_table(name: str, use: str, given: dict[str, Any]) -> str:
    """A sidecar's table, as TOML."""
    pairs = ", ".join(f"{key} = {written(value)}" for key, value in given.items())
    filled = f"with = {{ {pairs} }}\n" if given else ""
    return f"[sidecars.{name}]\nuse = {written(use)}\n{filled}"


def _described(found: list[Found]) -> list[Sidecar]:
    path = os.environ.get("PATH", os.defpath) + SYSTEM
    asked = [_ask(each, path) for each in found]
    said = [_said(process) for process in asked]
    return [
        Sidecar(
            name=each.name,
            concern=str(each.template.sidecar.get("concern", "")),
            summary=each.template.summary,
            file=each.file,
            program=each.template.program,
            installed=shutil.which(each.template.program, path=path) is not None and is_well,
            version=version,
            install=each.template.install,
            parameters=each.template.parameters,
        )
        for each, (is_well, version) in zip(found, said, strict=True)
    ]


def _ask(found: Found, path: str) -> "subprocess.Popen[str] | None":
    """All at once: some take a while to say it."""
    words = found.template.version
    program = shutil.which(words[0], path=path) if words else None
    if program is None:
        return None
    with suppress(OSError):
        return subprocess.Popen(
            [program, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    return None


def _said(process: "subprocess.Popen[str] | None") -> tuple[bool, str | None]:
    """Whether the program could be asked, and its version. One that says nothing is there, too."""
    if process is None:
        return True, None
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True, None
    match = re.search(r"\d+(?:\.\w+)+", said)
    return process.returncode == 0, match[0] if match and process.returncode == 0 else None


def _installed(sidecar: Sidecar) -> str:
    if not sidecar.installed:
        return "not installed"
    return sidecar.version or "installed, version unknown"


def _kind(parameter: Parameter) -> str:
    if parameter.default is not None:
        return f"{parameter.type}, {written(parameter.default)}"
    return f"{parameter.type}, {'optional' if parameter.optional else 'required'}"
