"""Makes the generated parts of docs/ anew: `./dev docs`, or `python -m tests.docs`.

What is said twice is wrong somewhere after a while. The commands' options come from click, the
manifest's keys from its model, the states from the core's table; a test holds each page to it.
"""

import json
import os
import tempfile
from inspect import cleandoc
from pathlib import Path

import click

from pairvisor.cli import exits, plan
from pairvisor.cli.commands import pairvisor
from pairvisor.manifest import reference
from pairvisor.manifest.load import load
from tests import reliability
from tests.api import page as api
from tests.cli.pages import HEAD, MORE
from tests.core import diagram
from tests.manifest import shipped
from tests.record import message_ids

DOCS = Path(__file__).parents[1] / "docs"
COMMAND_LINE = DOCS / "cli.md"

STATUS_HEAD = """
## Exit codes

`up` ends as its group did; its last line says how and why. A member's own code can be
any of these. 69 to 78 have sysexits.h's meanings.

| code | when |
| --- | --- |
"""

STATUSES = {
    "0": "the primary's success, a stop that was asked for, a good manifest; what a command asked "
    "for is so",
    str(exits.NO): "a teardown whose cause has no exit code of its own: not ready in time, a live "
    "probe or a hook that failed, `max_runtime`; the answer is no: what was waited for did not "
    "come, or the group can't do that now",
    str(exits.USAGE): "an unknown command, option, member or signal",
    str(exits.NOT_RUNNING): "no such group is running",
    str(
        exits.INTERNAL
    ): "an internal error, a bug of pairvisor; the group was killed; a member that can't be "
    "killed; or a group's supervisor does not answer",
    str(exits.CANNOT_CREATE): "the group's runtime folder can't be made, or isn't safe to use",
    str(exits.ALREADY_RUNNING): "the group is running already",
    str(exits.NOT_PERMITTED): "this user may not control that group",
    "74": "stdout can't be written to",
    str(exits.BAD_MANIFEST): "the manifest can't be used, or there is none",
    "126": "a teardown because a member could not be started",
    str(exits.INTERRUPTED): "Ctrl-C ended a command that only looks or waits: the group runs on",
    "137": "a primary that had to be killed (SIGKILL) when it was told to stop",
    "128 + N": "a teardown because a member was killed by signal N",
    "any other": "a teardown because a member exited with that code",
}

PLAN_HEAD = """
## The plan as JSON

`plan --json` is for programs: keys may be added, none is renamed or removed within a major version.
Times are in seconds; `null` is no limit.

| key | what it is |
| --- | --- |
"""

PLAN_KEYS = {
    "group": "the group's name",
    "manifest": "the manifest's path, as it was given or found",
    "run": "the group's runtime folder",
    "grace": "seconds from a stop to the last SIGKILL",
    "start_timeout": "seconds in which the group has to be ready",
    "start": "the members' names by step; a member waits for some of the step before",
    "stop": "the same for the stop, without inits: they have ended by then",
    "members": "all members: inits, sidecars, the primary",
}

MEMBER_HEAD = """
Each member:

| key | what it is |
| --- | --- |
"""

MEMBER_KEYS = {
    "name": "its name",
    "role": "`init`, `sidecar` or `primary`",
    "concern": "what it is there for, as the manifest says",
    "origin": "where it comes from: `manifest`, or another file, and its template",
    "command": "the program and its words, `${…}` replaced",
    "working_dir": "the folder that it runs in",
    "after": "whom it waits for, written or derived, and until when: `started`, `ready`, "
    "`succeeded` or `ended`",
    "reads": "those whose output it gets on its standard input",
    "log": "where its own goes: `terminal`, `journal`, `none`, or a file's path",
    "probes": "by purpose (`startup`, `ready`, `live`): the method and its target's words",
    "hooks": "by occasion (`post_start`, `pre_stop`, `post_stop`): the command's words",
    "start_timeout": "seconds in which it has to be ready",
    "timeout": "seconds in which an init has to end",
    "stop_signal": "the signal that asks it to end",
    "stop_grace": "its own seconds to end, within the group's",
    "on_success": "what its success does; an init's is `ignore`: the start goes on",
    "on_failure": "what its failure does",
}

EXAMPLE = """\
grace = "20s"

[primary]
command = "gunicorn --bind unix:${sockets}/app.sock shop:app"
ready = { unix = "app.sock" }

[sidecars.tls]
command = ["nginx", "-c", "${dir}/nginx.conf", "-g", "daemon off;"]
after = ["primary"]
stop = { signal = "SIGQUIT", grace = "5s" }
"""
PRETENDED = {"XDG_RUNTIME_DIR": "/run/user/1000"}  # so that the example is the same everywhere
HOME_OF_EXAMPLE = "/srv/shop"


def command_line_page() -> str:
    """docs/cli.md."""
    context = click.Context(pairvisor)
    names = pairvisor.list_commands(context)
    commands = [pairvisor.get_command(context, name) for name in names]
    return "".join(
        [
            HEAD,
            _options(pairvisor.params),
            *(_command(command.name or "", command) for command in commands if command is not None),
            STATUS_HEAD,
            _rows(STATUSES),
            PLAN_HEAD,
            _rows(_in_ticks(PLAN_KEYS)),
            MEMBER_HEAD,
            _rows(_in_ticks(MEMBER_KEYS)),
            f"\nOf this manifest in {HOME_OF_EXAMPLE}:\n\n```toml\n{EXAMPLE}```\n",
            f"\n```json\n{_plan_of_example()}\n```\n",
        ]
    )


def _command(name: str, command: click.Command) -> str:
    """With those below it."""
    assert command.help is not None
    about = f"{_usage(name, command)}{_unwrapped(command.help)}\n\n{_options(command.params)}"
    below = command.commands.items() if isinstance(command, click.Group) else ()
    inner = "".join(_command(f"{name} {word}", each) for word, each in below)
    return f"\n## `pairvisor {name}`\n\n{about}{MORE.get(name, '')}{inner}"


def _usage(name: str, command: click.Command) -> str:
    """Where there is more than options."""
    words = command.collect_usage_pieces(click.Context(command))
    return f"    pairvisor {name} {' '.join(words)}\n\n" if words[1:] else ""


def _options(options: list[click.Parameter]) -> str:
    found = [o for o in options if isinstance(o, click.Option) and not o.hidden]
    rows = {f"`{', '.join(o.opts)}{_value(o)}`": o.help or "" for o in found}
    return "| option | |\n| --- | --- |\n" + _rows(rows | {"`--help`": "Show this and exit."})


def _value(option: click.Option) -> str:
    return "" if option.is_flag or option.metavar is None else f" {option.metavar}"


def _rows(rows: dict[str, str]) -> str:
    return "".join(f"| {key} | {text} |\n" for key, text in rows.items())


def _in_ticks(rows: dict[str, str]) -> dict[str, str]:
    return {f"`{key}`": text for key, text in rows.items()}


def _unwrapped(text: str) -> str:
    return "\n\n".join(map(_paragraph, cleandoc(text).split("\n\n")))


def _paragraph(text: str) -> str:
    """A line each, where click is told by a \\b not to wrap it."""
    return text.removeprefix("\b\n") if text.startswith("\b") else " ".join(text.split())


def _plan_of_example() -> str:
    """As `plan --json` has it, from a folder where the programs are."""
    with tempfile.TemporaryDirectory() as folder:
        for program in ("gunicorn", "nginx"):
            Path(folder, program).symlink_to("/bin/sh")
        path = Path(folder, "pairvisor.toml")
        path.write_text('name = "shop"\n' + EXAMPLE)
        group = load(path, {**PRETENDED, "PATH": folder}, os.geteuid())
        data = json.dumps(plan.as_data(group), indent=2)
    return data.replace(str(path), path.name).replace(folder, HOME_OF_EXAMPLE)


def main() -> None:
    """Write every generated page."""
    COMMAND_LINE.write_text(command_line_page())
    reference.main(str(DOCS / "manifest.md"))
    shipped.PAGE.write_text(shipped.page())
    diagram.PAGE.write_text(diagram.page())
    api.PAGE.write_text(api.page())
    reliability.PAGE.write_text(reliability.page())
    message_ids.PAGE.write_text(message_ids.page())


if __name__ == "__main__":
    main()
