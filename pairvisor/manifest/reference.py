"""What each key of the manifest means: for people (docs/manifest.md) and editors (`schema`).

`python -m pairvisor.manifest.reference docs/manifest.md` writes the tables anew between the
page's markers; the prose around them is the page's own. Tests hold this against `model`.
"""

import re
import sys
import tomllib
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

from pairvisor.manifest import model, signals, template
from pairvisor.manifest.units import Bound, Duration, Mode, SignalName, Size, Umask


class Entry(Struct, frozen=True):
    """One key: what it means, and a value as TOML writes it."""

    text: str
    example: str = ""

    @property
    def value(self) -> Any:
        """The example's value; raise KeyError without one."""
        return tomllib.loads(f"key = {self.example}" if self.example else "")["key"]


_E = Entry

KEYS: dict[type[Struct], dict[str, Entry]] = {
    model.Manifest: {
        "primary": _E("The application: see Members. Each manifest has exactly one."),
        "sidecars": _E("Helpers that live as long as the primary: one table each, by name."),
        "init": _E("Members that must succeed before the others start, by name, in this order."),
        "name": _E(
            "The group's name; `NAME@INSTANCE` has an instance. Absent: the file's name without "
            "`.toml`, or its folder's where the file is `pairvisor.toml`, made a name: `My_App` "
            "becomes `my-app`.",
            '"shop"',
        ),
        "labels": _E("Free words about the group, for tools.", '{ team = "checkout" }'),
        "env": _E("Environment variables for every member; a member's own win.", '{ TZ = "UTC" }'),
        "env_file": _E(
            "One or several env files for every member; see Environment.", '["shop.env"]'
        ),
        "grace": _E("The whole group's time from the stop to the last SIGKILL.", '"30s"'),
        "start_timeout": _E(
            "The whole group's time to become ready. Past it, the start has failed, and the "
            "primary's `on_failure` says what follows. 0: no limit.",
            '"5m"',
        ),
        "max_runtime": _E(
            "The whole run's limit, restarts included. Past it the group is torn down, which "
            "counts as a failure. 0: no limit.",
            '"8h"',
        ),
        "restart": _E("How a group, or a member alone, restarts: see Restarts."),
        "control_group": _E(
            "The Unix group whose users may use the control socket, beside root and the owner: see "
            "Control. A name alone lets them read.",
            '{ name = "ops", access = "full" }',
        ),
        "metrics": _E(
            "Where the metrics are served to others than the control socket's clients: an address "
            "of this machine's own (127.0.0.1, [::1], localhost), or a Unix socket, relative to "
            "`${sockets}`. Absent: nowhere else.",
            '"unix:metrics.sock"',
        ),
        "sockets": _E("Listening sockets that are held open across restarts, by name."),
        "volumes": _E("Further shared folders beside `${volume}`, by name: see Sharing."),
        "secrets": _E("Files that only their readers can open, by name: see Secrets."),
        "network": _E("The network that the members share."),
        "limits": _E("Limits of all members together: see Limits.", '{ memory = "1GiB" }'),
        "files": _E("Small files that are written before the start, for all members: see Files."),
        "inject": _E(
            "Whether what the system's administrators add to groups may be added to this one, "
            "where they leave that to it: see [Sidecars](sidecars.md#injection).",
            "false",
        ),
    },
    model.Process: {
        "command": _E(
            "The program and its words: a list, or a string that is split as a shell splits "
            "words. No shell runs. Every member needs one.",
            '["gunicorn", "--bind", "unix:${sockets}/app.sock", "shop:app"]',
        ),
        "working_dir": _E(
            "The folder that it runs in, relative to the manifest's, which is the default.",
            '"/srv/shop"',
        ),
        "env": _E("Environment variables; they win over all others.", '{ PORT = "8080" }'),
        "env_file": _E("One or several env files; see Environment.", '"-local.env"'),
        "clean_env": _E(
            "Inherit only PATH, HOME, USER, LOGNAME, SHELL, LANG and TZ, beside what is set here.",
            "true",
        ),
        "umask": _E("Permissions that its new files don't get, in octal.", '"0027"'),
        "concern": _E("What it is there for, in a few words, for people.", '"log shipping"'),
        "files": _E("Small files that are written for it before the start: see Files."),
        "check": _E(
            "Runs before each start, as the member does; where it fails, so does the start. A "
            "reload that changes its files runs it, too, and is refused where it fails.",
            '["nginx", "-t", "-c", "${files.nginx.conf}"]',
        ),
        "install": _E(
            "How its programs come onto a machine; said where one is missing.",
            '"apt-get install nginx-light"',
        ),
        "after": _E(
            "What it waits for: names, or names with gates. It replaces what is derived: see Order",
            '{ migrate = "succeeded", tls = "ready" }',
        ),
        "success_codes": _E("The exit codes that are a success.", "[0, 3]"),
        "on_exit": _E(
            "What single exit codes and signals do, before `on_success` and `on_failure`.",
            '{ 42 = "teardown", SIGHUP = "ignore" }',
        ),
        "on_failure": _E("What its failure does to the group: see Fate.", '"restart"'),
        "hooks": _E("Commands at moments of its life: see Hooks."),
        "stop": _E("How it is stopped: see Stopping.", '{ signal = "SIGINT", grace = "10s" }'),
        "user": _E("The user that it runs as, by name or number: see Identity.", '"shop"'),
        "group": _E("The Unix group that it runs as. Absent: the user's own.", '"shop"'),
        "supplementary_groups": _E("Unix groups beside those that the user has.", '["video"]'),
        "no_new_privileges": _E(
            "Whether setuid programs and file capabilities, as of sudo and ping, give it nothing.",
            "false",
        ),
        "capabilities": _E(
            "The capabilities that it keeps, and that its programs can have at most; see Identity. "
            "Absent: those that its user has.",
            '["CAP_NET_BIND_SERVICE"]',
        ),
        "private_tmp": _E("A /tmp of its own.", "true"),
        "read_only": _E("A file system that it can't write, but for what is shared.", "true"),
        "sockets": _E("Held sockets that it gets as file descriptors.", '["http"]'),
        "secrets": _E("Secrets that it may read: see Secrets.", '["db"]'),
        "limits": _E(
            "What it may use of the machine: see Limits.", '{ memory = "256MiB", nofile = 65536 }'
        ),
        "log": _E("Where its output goes: see Logs."),
    },
    model.Init: {
        "timeout": _E(
            "Its time from start to end. Past it, it has failed. Absent: no limit.", '"2m"'
        ),
    },
    model.Serving: {
        "startup": _E("The probe that keeps `ready` and `live` waiting until it has passed."),
        "ready": _E(
            "The probe that says whether it can serve now: see Probes.",
            '{ http = "http://127.0.0.1:8080/healthz" }',
        ),
        "live": _E(
            "The probe that ends it when it fails.", '{ exec = ["./check"], interval = "10s" }'
        ),
        "start_timeout": _E(
            "Its time from the start to ready. Past it, it has failed. Absent: no limit.", '"60s"'
        ),
        "on_success": _E(
            "What its success does to the group: see Fate. A sidecar's default is "
            '`"restart-group"`, since one that leaves early has failed its duty; the primary\'s is '
            '`"teardown"`.',
            '"ignore"',
        ),
        "watch": _E(
            "Files whose change restarts it under `up --watch`, for development: see Watching.",
            '["src/**/*.py"]',
        ),
        "reload": _E(
            "How it reads anew what has changed, where its process need not: its secrets, its "
            "files, and the files of `on_change`. Absent: by a restart.",
            '{ signal = "SIGHUP" }',
        ),
        "restart_mode": _E(
            "Whether the new one starts before the old one is stopped.", '"overlap"'
        ),
    },
    model.Sidecar: {
        "use": _E(
            "The sidecar template that this one is made from: see [Sidecars](sidecars.md). What is "
            "written beside it counts more than what the template has.",
            '"stunnel"',
        ),
        "with": _E("The template's parameters.", '{ accept = "8443", connect = "app.sock" }'),
        "stdin": _E(
            "Members whose output it gets on its standard input, as JSON lines: see Logs.",
            '["primary"]',
        ),
    },
    model.Primary: {
        "name": _E("Its name. In `after` and in commands `primary` means it too.", '"shop-web"'),
        "on_success": _E(
            "As above, with another default: when the application is done, all is.",
            '"restart-group"',
        ),
    },
    model.Probe: {
        "exec": _E(
            "Passes when this command exits with 0. It runs as the member does. Its output beyond "
            "the first 4 KiB is dropped.",
            '["./check", "--quick"]',
        ),
        "http": _E(
            "Passes when the answer's status is 200 to 399; redirects aren't followed. "
            "`unix:SOCKET:/PATH` asks through a Unix socket.",
            '"unix:app.sock:/healthz"',
        ),
        "tcp": _E("Passes when a connection to this address is accepted.", '"127.0.0.1:5432"'),
        "unix": _E(
            "Passes when a connection to this Unix socket is accepted; relative to `${sockets}`.",
            '"app.sock"',
        ),
        "file": _E("Passes when this file exists; relative to `${volume}`.", '"ready"'),
        "notify": _E(
            "Passes when the member has sent READY=1 to NOTIFY_SOCKET, as sd_notify(3) does; in "
            "`live`, WATCHDOG=1 within each interval. Only members with such a probe have a "
            "NOTIFY_SOCKET.",
            "true",
        ),
        "log": _E(
            "Passes when a line of the member's output matches this regular expression. Only in "
            "`ready`.",
            '"listening on .*:8080"',
        ),
        "grpc": _E(
            "Passes when grpc.health.v1 at this address answers SERVING.", '"127.0.0.1:9000"'
        ),
        "interval": _E(
            "The time between looks, at least 10 ms. Until a member is ready it is looked at "
            "sooner: 50 ms at first, growing to this.",
            '"10s"',
        ),
        "timeout": _E("The time after which one look is ended and has failed.", '"5s"'),
        "failures": _E(
            "Failures in a row after which a probe that had passed has failed. Until `startup` or "
            "`ready` has passed, `start_timeout` says how long that may take.",
            "3",
        ),
        "successes": _E(
            "Successes in a row after which it has passed; only `ready` may want more than 1.", "1"
        ),
        "delay": _E("The time before the first look.", '"2s"'),
    },
    model.Hooks: {
        "post_start": _E(
            "Runs once it has started; it must succeed before the member counts as ready.",
            '["./warm-up"]',
        ),
        "pre_stop": _E(
            "Runs before the stop signal; its time comes out of the grace.", '["./drain"]'
        ),
        "post_stop": _E("Runs after the member's end.", '["./clean-up"]'),
    },
    model.Stop: {
        "signal": _E(
            "The signal that asks it to end; SIGCONT follows, for a stopped process.", '"SIGINT"'
        ),
        "grace": _E(
            "Its own time to end; it can only be shorter than the group's.",
            '"10s"',
        ),
    },
    model.Restart: {
        "initial": _E(
            "The wait before the second restart; the first after a healthy run is immediate.",
            '"1s"',
        ),
        "max": _E("The longest wait.", '"1m"'),
        "factor": _E("By how much each wait is longer than the one before.", "2.0"),
        "jitter": _E("The share of each wait that is left to chance, 0 to 1.", "0.1"),
        "reset_after": _E(
            "A run as long as this counts as healthy, and the waits begin anew.", '"10m"'
        ),
        "limit": _E(
            "Restarts within `within` after which it gives up: see Restarts. 0: never.", "5"
        ),
        "within": _E("The time in which `limit` counts.", '"10m"'),
    },
    model.ControlGroup: {
        "name": _E("The Unix group's name.", '"ops"'),
        "access": _E(
            "`read`: status, logs, events and all else that is only shown. `full`: that, and all "
            "that changes something, other members' commands (`exec`) included.",
            '"full"',
        ),
    },
    model.Reload: {
        "signal": _E("The signal that makes it do so.", '"SIGHUP"'),
        "command": _E("The command that makes it do so.", '["nginx", "-s", "reload"]'),
        "on_change": _E(
            "Files whose change makes it do so, in production, too; globs as in Watching. With no "
            "`signal` and no `command` it restarts.",
            '["${volume}/config/*.yaml"]',
        ),
    },
    model.File: {
        "text": _E("What it holds; `${…}` is filled in, and `$$` is a dollar.", '"pid = ${run}/x"'),
        "mode": _E("Its permissions, in octal.", '"0600"'),
    },
    model.GroupLimits: {
        "memory": _E(
            "Memory of all processes together, the kernel's for them included. Past it one is "
            "killed, and with it all of its member; there is no swap beyond it.",
            '"256MiB"',
        ),
        "cpu": _E("Processors: half of one, or three.", "0.5"),
        "pids": _E("Processes and threads. Past it, fork fails with EAGAIN.", "100"),
        "io": _E("Weight among others that read and write the same disks; 100 is usual.", "200"),
        "required": _E(
            "Whether the group refuses to start where one of these can't be held here. `false`: "
            "it starts, and status says which are not.",
            "false",
        ),
    },
    model.Limits: {
        "nofile": _E("Open files of each process (RLIMIT_NOFILE).", "65536"),
        "nproc": _E("Processes of its user (RLIMIT_NPROC); `pids` counts only its own.", "100"),
        "stack": _E("Stack of each process (RLIMIT_STACK).", '"8MiB"'),
        "core": _E("Core dumps (RLIMIT_CORE); 0: none.", "0"),
        "memlock": _E("Locked memory of each process (RLIMIT_MEMLOCK).", '"unlimited"'),
        "fsize": _E("Size of the files that it writes (RLIMIT_FSIZE).", '"1GiB"'),
        "nice": _E("Niceness, -20 to 19; less than ours needs CAP_SYS_NICE.", "5"),
        "oom_score_adj": _E(
            "How likely it is to be chosen when the machine's memory runs out, -1000 to 1000. A "
            "sidecar's is at most the primary's. Less than ours needs CAP_SYS_RESOURCE.",
            "100",
        ),
    },
    model.Log: {
        "to": _E(
            "Where it goes: `up`'s terminal, a file, the journal, or nowhere but to `pairvisor "
            "logs` and those that read it. Absent: the file, where one is named, or else the "
            "terminal.",
            '"file"',
        ),
        "file": _E(
            "The file, relative to the group's folder for logs; an absolute path's folder has to "
            "be there.",
            '"shop.log"',
        ),
        "format": _E("How a file's lines are written.", '"json"'),
        "max_size": _E(
            "How large a file grows before the next one is begun; 0: no limit.", '"10MiB"'
        ),
        "keep": _E("How many older files stay: `shop.log.1` is the youngest of them.", "5"),
        "compress": _E("What older files are compressed with.", '"zstd"'),
        "buffer": _E(
            "How much of this member's output is held for each that doesn't take it, at least.",
            '"8MiB"',
        ),
        "overflow": _E(
            "Past that, the member waits when it writes, or lines are dropped and counted.",
            '"drop"',
        ),
    },
    model.Input: {
        "from": _E("The members.", '["primary", "db"]'),
        "format": _E("JSON lines, or the lines as they are.", '"raw"'),
    },
    model.Socket: {
        "listen": _E("Where it listens.", '"127.0.0.1:8080"'),
        "mode": _E("A Unix socket's permissions.", '"0660"'),
        "backlog": _E("Connections that may wait to be accepted.", "1024"),
    },
    model.Volume: {
        "size": _E(
            "How much it holds, where it is in memory. Absent: half the machine's.", '"64MiB"'
        ),
        "medium": _E(
            "A folder on disk, or in memory (a tmpfs of its own; only for root).", '"memory"'
        ),
        "keep": _E("Whether it outlives the group, below its state folder.", "true"),
        "mode": _E("Its permissions.", '"2770"'),
        "mount": _E("Where members see it.", '"/data"'),
    },
    model.Secret: {
        "file": _E(
            "The file that holds it, relative to the manifest's folder.", '"/etc/shop/db.pass"'
        ),
        "env": _E(
            "The variable of the supervisor's environment that holds it. No member inherits it.",
            '"DB_PASS"',
        ),
        "command": _E(
            "The command that prints it, as the supervisor's user, within 10 s; a newline at the "
            "end does not belong to it.",
            '["pass", "db"]',
        ),
        "credential": _E("The supervisor's own credential of that name, from systemd.", '"db"'),
    },
    model.Network: {
        "mode": _E("The machine's, or one of the group's own.", '"private"'),
        "outbound": _E("How a private one reaches others.", '"pasta"'),
    },
    template.Template: {
        "summary": _E("What it is, in a line.", '"TLS in front of the application, by stunnel"'),
        "program": _E("The program that it runs, as `pairvisor sidecars` looks for it.", '"nginx"'),
        "install": _E("How that comes onto a machine.", '"apt-get install nginx-light"'),
        "version": _E("A command that prints its version.", '["nginx", "-v"]'),
        "parameters": _E("What `with` gives, by name."),
        "sidecar": _E(
            "The sidecar: any keys of one, and `${with.NAME}` in their texts. A text that is "
            "nothing else becomes the value as it is; an absent one's key, or element of a list, "
            "is left out; and a list takes another list's elements."
        ),
    },
    template.Parameter: {
        "description": _E("What it is for, in a line.", '"where clients connect"'),
        "type": _E("What it takes; see below.", '"address"'),
        "default": _E("Its value where `with` has none. Absent: it must be given.", "3"),
        "optional": _E("Whether it may be absent: then it stands for nothing.", "true"),
        "choices": _E("The texts that it may be.", '["fast", "safe"]'),
        "pattern": _E("A regular expression that a text has to match.", '"https?://.*"'),
        "example": _E("A value, for the lists and messages.", '"8443"'),
        "host": _E("Of an address: the host where only a port is given.", '"0.0.0.0"'),
        "socket": _E("Of an address: whether it may be a Unix socket.", "false"),
        "format": _E(
            "How it stands in other text: `${value}` is its value, of a list each element's. "
            "Nothing at all for what is absent or false.",
            '"ssl crt ${value}"',
        ),
        "unix": _E("Of an address: `format` for a socket, which is `${path}`.", '"unix:${path}"'),
        "tcp": _E("Of an address: `format` for `${host}` and `${port}`.", '"${host}:${port}"'),
        "formats": _E("Further ones by name: `${with.NAME.FORMAT}`.", '{ check = "check" }'),
        "separator": _E("What stands between the elements of a list.", '", "'),
    },
    template.Injection: {
        "select": _E(
            "The labels that a group must have; none (`{}`) are of every group.",
            '{ team = "checkout" }',
        ),
        "optional": _E("Whether a group may opt out, by `inject = false`.", "true"),
        "sidecars": _E("Sidecars, as in a manifest; `use` and `with` are, too."),
        "init": _E("Inits, as in a manifest."),
        "files": _E("Files, as in a manifest."),
        "volumes": _E("Volumes, as in a manifest."),
        "secrets": _E("Secrets, as in a manifest."),
    },
}

_UNIT_NAMES: dict[Any, str] = {
    Duration: "duration",
    Size: "size",
    Bound: 'number, size or `"unlimited"`',
    Umask: "umask",
    Mode: "mode",
    SignalName: "signal",
    str: "text",
    int: "number",
    bool: "true/false",
    float: "number",
    type(None): "",
    Any: "anything",
}
_MARKED = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def own_fields(table: type[Struct]) -> list[msgspec.structs.FieldInfo]:
    """The fields that a type itself adds or changes, without those of the types it extends."""
    fields = {field.name: field for field in msgspec.structs.fields(table)}
    return [fields[name] for name in table.__annotations__]


def is_unsupported(table: type[Struct], key: str) -> bool:
    return key in model.NOT_YET.get(table, ()) or table in UNSUPPORTED_TABLES


UNSUPPORTED_TABLES: frozenset[type[Struct]] = frozenset(
    (
        model.Socket,
        model.Network,
    )
)


def key_table(table: type[Struct]) -> str:
    """A Markdown table of a type's keys."""
    hints = get_type_hints(table)
    rows = ["| key | what it takes | default | what it means |", "| --- | --- | --- | --- |"]
    for field in own_fields(table):
        key = field.encode_name
        entry = KEYS[table][key]
        cells = (f"`{key}`", _kind(hints[field.name]), _default(field), _meaning(table, key, entry))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _meaning(table: type[Struct], key: str, entry: Entry) -> str:
    if is_unsupported(table, key):
        return f"*not supported yet*: {entry.text}"
    return f"{entry.text} `{entry.example}`" if entry.example else entry.text


def _kind(hint: Any) -> str:
    arms = get_args(hint)
    origin = get_origin(hint)
    if hint in _UNIT_NAMES:
        return _UNIT_NAMES[hint]
    if origin is Literal:
        return ", ".join(f'`"{each}"`' for each in arms)
    if origin is list:
        return f"list of {_kind(arms[0])}"
    if origin is dict:
        return f"table of {_kind(arms[1])}"
    if arms:
        return " or ".join(filter(None, map(_kind, arms)))
    return "table" if issubclass(hint, Struct) else ", ".join(f'`"{each}"`' for each in hint)


def default_in_toml(field: msgspec.structs.FieldInfo) -> str:
    """A key's default as one would write it; empty where it is nothing."""
    value = field.default if field.default_factory is NODEFAULT else field.default_factory()
    if value in (NODEFAULT, None, [], {}) or isinstance(value, Struct):
        return ""
    return written(value)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    default = default_in_toml(field)
    return f"`{default}`" if default else ""


def written(value: Any) -> str:
    """A value as one writes it in a manifest."""
    if isinstance(value, Duration):
        return f'"{_duration(value)}"'
    if isinstance(value, Size):
        return f'"{value // 2**20}MiB"'
    if isinstance(value, Umask | Mode):
        return f'"{value:04o}"'
    if isinstance(value, SignalName):
        return f'"{signals.name_of(value)}"'
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _duration(seconds: float) -> str:
    if seconds and seconds % 60 == 0:
        return f"{seconds / 60:g}m"
    return f"{seconds:g}s"


def with_tables(page: str) -> str:
    """The page with the tables between its `<!-- keys: TYPE -->` markers made anew."""
    tables = {table.__name__: table for table in KEYS}
    return _MARKED.sub(lambda m: m[1] + key_table(tables[m[2]]) + m[3], page)


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        page = with_tables(file.read())
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main(sys.argv[1])
