"""`pairvisor reload`: the group goes on by its changed manifest."""

import click

from pairvisor.cli import documents, groups, options
from pairvisor.cli.screen import Screen


@click.command("reload")
@options.group
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@options.as_json
@groups.answers()
def command(*, group: str | None, file: str | None, dry_run: bool, as_json: bool) -> None:
    """Let the group read its manifest anew, all or nothing.

    Only those members restart that have changed, the others run on; what is done to each is said.
    Exits with 78, and the group runs on as it did, if the manifest is wrong; with 1 if the group
    can't be changed now.
    """
    reload = groups.find(group, file).client.reload(dry_run=dry_run)
    if as_json:
        documents.show(reload)
        return
    screen = Screen.of_stdout()
    for warning in reload.warnings:
        click.echo(f"{warning} (warning)", err=True)
    prefix = "dry run: " if dry_run else ""
    for line in reload.text.split("; "):
        click.echo(f"{prefix}{screen.text(line)}")
