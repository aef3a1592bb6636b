"""What a shell may put where a command wants a member, a group, a signal or a file.

A shell asks while somebody types: the answer has to come soon, and where there is none it is
silence. So a group that hangs, or a folder without a manifest, is just nothing to propose.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress

import click
from click.shell_completion import CompletionItem

SOON = 0.5  # seconds for a group to answer

Proposals = list[CompletionItem]
Propose = Callable[[click.Context, click.Parameter, str], Proposals]


def complete_members(ctx: click.Context, param: click.Parameter, incomplete: str) -> Proposals:
    """Those of the group that is meant, without those that stand there already."""
    there = ctx.params.get(param.name or "") or ()
    with _quiet():
        return [
            CompletionItem(name, help=concern)
            for name, concern in _members(ctx.params.get("group"), ctx.params.get("file"))
            if name.startswith(incomplete) and name not in there
        ]
    return []


def complete_groups(ctx: click.Context, param: click.Parameter, incomplete: str) -> Proposals:
    """Those that run, and those that have ended."""
    names: dict[str, None] = {}
    with _quiet():
        from os.path import basename  # noqa: PLC0415

        from pairvisor.cli import groups, past  # noqa: PLC0415 - they know the client

        names |= dict.fromkeys(basename(run) for run, _ in groups.running())
        names |= dict.fromkeys(status.group for status in past.results())
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_signals(ctx: click.Context, param: click.Parameter, incomplete: str) -> Proposals:
    """With SIG, or without it where it was begun so."""
    from pairvisor.manifest.signals import NAMES  # noqa: PLC0415

    begun = incomplete.upper()
    forms = ((name, name.removeprefix("SIG")) for name in NAMES)
    found = (next((form for form in each if form.startswith(begun)), "") for each in forms)
    return [CompletionItem(form) for form in found if form]


def complete_templates(ctx: click.Context, param: click.Parameter, incomplete: str) -> Proposals:
    """Those of sidecars, and what each is."""
    with _quiet():
        from pairvisor.cli.sidecars import find, templates_here  # noqa: PLC0415

        templates = templates_here()
        names = [name for name in templates.names() if name.startswith(incomplete)]
        return [CompletionItem(name, help=find(templates, name).template.summary) for name in names]
    return []


def complete_parameters(ctx: click.Context, param: click.Parameter, incomplete: str) -> Proposals:
    """Those that the template has, without those that stand there already."""
    there = {pair.partition("=")[0] for pair in ctx.params.get(param.name or "") or ()}
    with _quiet():
        from pairvisor.cli.sidecars import find, templates_here  # noqa: PLC0415

        # An option without its value ends click's parsing: what stood before is left in args.
        template = ctx.params.get("template") or ctx.args[0]
        parameters = find(templates_here(), template).template.parameters
        return [
            CompletionItem(f"{name}=", help=parameter.description)
            for name, parameter in parameters.items()
            if name.startswith(incomplete) and name not in there
        ]
    return []


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> Proposals:
    """The shell knows them best."""
    return [CompletionItem(incomplete, type="file")]


@contextmanager
def _quiet() -> Iterator[None]:
    """Whatever is wrong, it is not said."""
    with suppress(Exception, SystemExit), redirect_stderr(io.StringIO()):
        yield


def _members(group: str | None, file: str | None) -> list[tuple[str, str]]:
    """Names, and what each is for."""
    from pairvisor.api.client import Client  # noqa: PLC0415 - nothing else here needs it
    from pairvisor.cli import groups, past  # noqa: PLC0415
    from pairvisor.manifest.group import control_in  # noqa: PLC0415

    target = groups.find(group, file)
    run = target.run
    status = Client(control_in(run), SOON).status() if run else past.result(target)
    members = status.members if status else []
    return [(member.name, member.concern or member.role) for member in members]
