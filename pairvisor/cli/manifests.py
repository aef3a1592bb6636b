"""What the commands that read a manifest share: the option, the search, the complaint."""

import os
import sys
from pathlib import Path

import click

from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.group import Group
from pairvisor.manifest.load import load

NAME = "pairvisor.toml"
BAD_MANIFEST = 78  # sysexits.h: EX_CONFIG

option = click.option(
    "-f",
    "--file",
    type=click.Path(dir_okay=True),
    help=f"The manifest. Default: {NAME} in this folder, or in one above it.",
)


def load_or_exit(file: str | None) -> Group:
    """The group that the manifest describes; otherwise all that is wrong, and exit code 78."""
    try:
        group = load(file or _find(), os.environ, os.geteuid())
    except ManifestError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(BAD_MANIFEST)
    for warning in group.warnings:
        click.echo(f"{warning} (warning)", err=True)
    return group


def _find() -> str:
    """The nearest manifest, from this folder up; as short a path as there is."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / NAME).exists():
            return os.path.relpath(folder / NAME)
    message = f"no {NAME} in {here} or a folder above it: write one, or name one with -f FILE"
    click.echo(f"pairvisor: {message}", err=True)
    sys.exit(BAD_MANIFEST)
