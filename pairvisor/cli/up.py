"""`pairvisor up`."""

import click

from pairvisor.cli import foreground, options


@click.command("up")
@options.file
def command(file: str | None) -> None:
    """Start the group and stay with it, its members' output behind their names.

    Ctrl-C stops it in order; a second Ctrl-C leaves it two seconds more. Exits with 0 after a
    success or a stop that was asked for; with the code of the member that was the cause, or 128
    and its signal, after a failure; with 78 for a bad manifest, 75 if the group runs already.
    """
    foreground.run(file)
