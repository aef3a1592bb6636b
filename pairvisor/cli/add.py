"""`pairvisor add`: write a sidecar's table into a manifest."""

import os
import sys
from contextlib import suppress
from typing import Any

import click

from pairvisor.cli import exits, options
from pairvisor.cli.completing import complete_parameters, complete_templates
from pairvisor.cli.exits import fail
from pairvisor.cli.nearest import nearest
from pairvisor.cli.sidecars import as_table, find, templates_at
from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.load import load
from pairvisor.manifest.names import check_name
from pairvisor.manifest.origins import Origins
from pairvisor.manifest.report import Report
from pairvisor.manifest.template import Parameter
from pairvisor.manifest.toml import read_toml


@click.command("add")
@click.argument("template", shell_complete=complete_templates)
@options.file
@click.option(
    "--with",
    "given",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=complete_parameters,
    help="A parameter; a list's by commas.",
)
@click.option("--as", "name", metavar="NAME", help="The sidecar's name.  [default: TEMPLATE]")
@click.option("--dry-run", is_flag=True, help="Only show what would be written.")
def command(
    template: str, file: str | None, given: tuple[str, ...], name: str | None, *, dry_run: bool
) -> None:
    """Add a sidecar to a manifest, made from one of `pairvisor sidecars`.

    Its table is written behind all that is there, which stays as it is, comments included. Where
    the manifest would not be good with it, nothing is written: exits with 78.
    """
    path = nearest() if file is None else file
    try:
        text, data = read_toml(path, os.geteuid())
        _check_name(name or template, path, data)
        added = _table(template, path, name or template, given)
        joined = f"{text.rstrip()}\n\n{added}"
        load(path, os.environ, os.geteuid(), joined)
    except ManifestError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        fail(f"{path}: nothing is added", exits.BAD_MANIFEST)
    if not dry_run:
        _write(path, joined)
    click.echo(added, nl=False)


def _check_name(name: str, path: str, data: dict[str, Any]) -> None:
    """Else what is said would be of a line that nobody has written. Raises ManifestError."""
    report = Report()
    check_name(name, report)
    if report.failed:
        raise ManifestError(report.problems(Origins([]).find))
    present = data.get("sidecars")
    if isinstance(present, dict) and name in present:
        fail(
            f"{path} has a sidecar {name} already: --as NAME gives this one another name", exits.NO
        )


def _table(template: str, path: str, name: str, given: tuple[str, ...]) -> str:
    folder = os.path.dirname(os.path.abspath(path))
    found = find(templates_at(folder), template)
    values = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--with {pair}: expected KEY=VALUE")
        values[key] = _value(found.template.parameters.get(key), text)
    return as_table(name, template, values)


def _value(parameter: Parameter | None, text: str) -> Any:
    """Of the parameter's type, as far as it looks like it; the rest is for the manifest's check."""
    kind = parameter.type if parameter else "text"
    if kind == "list":
        return text.split(",") if text else []
    if kind == "integer" and text.removeprefix("-").isdecimal():
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _write(path: str, text: str) -> None:
    """At one stroke, as the same user's and with the same permissions, where the path leads."""
    real = os.path.realpath(path)
    about = os.stat(real)
    fresh = f"{real}.new"
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(descriptor, about.st_mode & 0o7777)
            if (about.st_uid, about.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, about.st_uid, about.st_gid)
        os.replace(fresh, real)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            with suppress(FileNotFoundError):
                os.unlink(fresh)
        fail(f"cannot write {path}: {error.strerror}", exits.CANNOT_CREATE)
