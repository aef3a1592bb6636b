"""What docs/cli.md says of each command beside its help: examples, and what they show."""

from collections.abc import Iterable

from pairvisor.cli.screen import Screen
from pairvisor.cli.statuses import shown
from pairvisor.cli.timeline import BLOCKS, lines
from tests.cli import examples

PIPE = Screen()

HEAD = """\
# The command line

Made by `python -m tests.docs` from the commands themselves; a test holds it up to date.

Commands that need a manifest take it from `-f FILE`; without that it is `pairvisor.toml` in this
folder, or in the nearest one above it. What is wrong with it is written to stderr, a line for each
problem:

    FILE:LINE: KEY: what is wrong (what to write instead)

Commands that speak to a running group find it by the same manifest, of which they need no more than
the name, or by `-g NAME`, from any folder. What they show can be had as JSON with `--json`: the
documents that the [API](api.md) has too; of events and lines, one on each line.

Colour is for terminals, unless NO_COLOR is set; what is piped is plain.

"""

FOREGROUND = """\

What a member writes is shown behind its name, a line at a time, its stdout and its stderr alike.
Lines behind `pairvisor` are pairvisor's own. A terminal has a last line of progress as well: which
members the group waits for. All of it goes to stdout; only what keeps the group from starting goes
to stderr.

Signals, sent to the process that was started:

| signal | what it does |
| --- | --- |
| SIGINT | stops the group in order; a second one leaves it two more seconds |
| SIGTERM, SIGHUP | stops the group in order |
| SIGUSR2 | lets the installed version take over, as `reexec` does |
| SIGKILL | the supervisor stops the group in order all the same |

In the background:

    $ pairvisor up -d
    group shop is ready, after 1.2s

At the first failure it says why, shows the last lines of the member that was the cause, and exits
with 1. A group that restarts goes on trying. Ctrl-C ends the waiting, not the group.

    $ pairvisor up -d
    pairvisor: group shop is restarted: tls exited with 3
    tls | cannot read /etc/shop/key.pem
    pairvisor: it goes on trying: `pairvisor logs tls` shows more, `pairvisor down` stops it
"""


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


STATUS = f"""\

    $ pairvisor status
{_indented(shown(examples.STATUS, PIPE, examples.NOW))}
    $ pairvisor status --wait ready --timeout 30s && curl https://shop.example/
"""

LOGS = """\

    $ pairvisor logs -n 100 tls       # the last hundred lines of one
    $ pairvisor logs --since 10m
    $ pairvisor logs --previous tls   # what it said before it was restarted
    $ pairvisor logs -f | grep -i error
"""

WHY = """\

    $ pairvisor why
    group shop was restarted because tls was killed by SIGKILL (out of memory), 2 min after its
    start. With it, web was stopped. Everything was ready again 1.3 s later.
      11:56:58.000  tls was killed by SIGKILL (out of memory)
      11:56:58.001  group shop is restarted: tls was killed by SIGKILL (out of memory)
"""

REEXEC = """\

    $ apt-get install --only-upgrade pairvisor && pairvisor reexec -g shop
    pairvisor 0.2.0 has taken over from 0.1.0: the members run on, after 0.24s
"""

RUN = """\

As a unit (docs/systemd.md has all of it):

    [Service]
    Type=notify
    ExecStart=/usr/bin/pairvisor run shop
    Delegate=yes
    KillMode=mixed

Below an init that has no such protocol it stays in the foreground, behind a guard:

    #!/bin/sh
    exec pairvisor run /etc/shop/shop.toml

| signal | what it does |
| --- | --- |
| SIGTERM, SIGINT | stops the group in order |
| SIGHUP | reloads the manifest, as `reload` does |
| SIGUSR2 | lets the installed version take over, as `reexec` does |
"""

RELOAD = """\

    $ pairvisor reload --dry-run
    $ pairvisor reload && pairvisor status --wait ready --timeout 1m
"""

TIMELINE = f"""\

    $ pairvisor timeline
{_indented(lines(examples.TIMELINE, PIPE, BLOCKS))}"""

DOWN = """\

    $ pairvisor down
    group shop stopped, as asked, after 1.2s
"""

EVENTS = """\

    $ pairvisor events -n 3
    11:56:58.000  tls was killed by SIGKILL (out of memory)
    11:56:58.001  group shop is restarted: tls was killed by SIGKILL (out of memory)
    11:56:58.001  web is told to stop: with the group

    $ pairvisor events -f --json | jq 'select(.kind == "group-stopping")'
"""

RESTART = """\

    $ pairvisor restart tls
    tls: ready again, after 420ms
"""

SIGNAL = """\

    $ pairvisor signal HUP tls
    SIGHUP sent to tls
"""

LS = """\

    $ pairvisor ls
    GROUP  STATE    READY      UP  RESTARTS  MEMBERS  MANIFEST
    mail   running  yes    12d03h         0        2  /srv/mail/pairvisor.toml
    shop   running  yes     2h05m         1        3  /srv/shop/pairvisor.toml
"""

SIDECARS = """\

    $ pairvisor sidecars
    NAME       CONCERN             INSTALLED      WHAT IT DOES
    git-sync   configuration sync  2.39.5         Keeps a folder as a branch of a git repository is
    mtail      metrics             not installed  Metrics from the lines of log files, by mtail
"""

SIDECARS_SHOW = """\

    $ pairvisor sidecars show git-sync
    git-sync: Keeps a folder as a branch of a git repository is
    from /usr/lib/pairvisor/pairvisor/sidecars/git-sync.toml
    git: 2.39.5, by apt-get install git

      repository (text, required): its URL, or its folder
      branch (text, "main"): the branch
      interval (duration, "30s"): the time between looks
      keep (integer, 3): how many earlier states stay

    [sidecars.git-sync]
    use = "git-sync"
    with = { repository = "https://git.example/shop-config.git" }
"""

ADD = """\

    $ pairvisor add git-sync --as config --with repository=https://git.example/shop-config.git
    [sidecars.config]
    use = "git-sync"
    with = { repository = "https://git.example/shop-config.git" }
"""

MORE = {
    "add": ADD,
    "sidecars": SIDECARS,
    "sidecars show": SIDECARS_SHOW,
    "up": FOREGROUND,
    "down": DOWN,
    "status": STATUS,
    "logs": LOGS,
    "events": EVENTS,
    "restart": RESTART,
    "signal": SIGNAL,
    "ls": LS,
    "why": WHY,
    "reload": RELOAD,
    "reexec": REEXEC,
    "run": RUN,
    "timeline": TIMELINE,
}
