"""`pairvisor completion`."""

import click
from click.shell_completion import ShellComplete, get_completion_class

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "pairvisor"
VARIABLE = "_PAIRVISOR_COMPLETE"  # click looks for it when the program is called by that name


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script by which bash, zsh or fish completes commands, options, members and groups.

    For bash, in ~/.bashrc:

    \b
        eval "$(pairvisor completion bash)"

    For zsh, in ~/.zshrc, below compinit:

    \b
        eval "$(pairvisor completion zsh)"

    For fish, once:

    \b
        pairvisor completion fish > ~/.config/fish/completions/pairvisor.fish
    """
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - they are click's own
    # Not by bash's own way, which asks the bash of this machine for its version.
    click.echo(ShellComplete.source(made(ctx.find_root().command, {}, PROGRAM, VARIABLE)))
