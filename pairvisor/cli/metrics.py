"""`pairvisor metrics`."""

import click

from pairvisor.cli import groups, options


@click.command("metrics")
@options.group
@groups.answers()
def command(*, group: str | None, file: str | None) -> None:
    """Print the group's metrics, in Prometheus' text format.

    `promtool check metrics` reads it. Prometheus reads the same from the address that `metrics` in
    the manifest names.
    """
    click.echo(groups.find(group, file).client.metrics(), nl=False)
