"""`pairvisor check`."""

import click

from pairvisor.cli import options
from pairvisor.cli.manifests import load_or_exit


@click.command("check")
@options.file
def command(file: str | None) -> None:
    """Say all that is wrong with a manifest, each with its line and what to write instead.

    Nothing is started. Exits with 0 if the manifest is good, with 78 if it is not.
    """
    group = load_or_exit(file)
    members = len(group.members)
    click.echo(f"{group.manifest}: good: group {group.name}, {members} member{'s'[: members - 1]}")
