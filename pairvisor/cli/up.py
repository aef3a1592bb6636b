"""`pairvisor up`."""

import click

from pairvisor.cli import options


@click.command("up")
@options.file
@click.option(
    "-d",
    "--detach",
    "--wait",
    "detach",
    is_flag=True,
    help="Start it in the background; back when ready.",
)
@click.option("--watch", is_flag=True, help="Restart members whose `watch` files change.")
@click.option("--detached", is_flag=True, hidden=True)
def command(file: str | None, *, detach: bool, watch: bool, detached: bool) -> None:
    """Start the group and stay with it, its members' output behind their names.

    Ctrl-C stops it in order; a second Ctrl-C leaves it two seconds more. Exits with 0 after a
    success or a stop that was asked for; with the code of the member that was the cause, or 128
    and its signal, after a failure; with 78 for a bad manifest, 75 if the group runs already.

    With -d it comes back when the group is ready, with 0, or with 1 and the cause at its first
    failure; the group goes on in the background, until `pairvisor down`.
    """
    if detach:
        from pairvisor.cli import detached as background  # noqa: PLC0415 - only where it is asked for

        background.start(file, watch=watch)
        return
    from pairvisor.cli import foreground  # noqa: PLC0415 - after the guard
    from pairvisor.runtime import guard  # noqa: PLC0415

    guard.fork()
    foreground.run(file, detached=detached, watch=watch)
