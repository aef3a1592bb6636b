"""`pairvisor run`."""

import click

from pairvisor.cli.completing import complete_files


@click.command("run")
@click.argument("manifest", metavar="FILE|NAME", shell_complete=complete_files)
def command(manifest: str) -> None:
    """Run a group as a service: below systemd, or any other init, in the foreground.

    NAME is /etc/pairvisor/NAME.toml. systemd is told when the group is ready, how it is, and that
    it lives (Type=notify, WatchdogSec=); the journal gets what members write, and the events.
    Elsewhere both go to stdout, without colours.

    SIGTERM stops the group in order, SIGHUP reloads its manifest. The exit codes are those of `up`;
    the group restarts itself, so an init has to start it again only after it was killed.
    """
    from pairvisor.cli.service import serve  # noqa: PLC0415 - not for a help text

    serve(manifest)
