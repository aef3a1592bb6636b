"""`plan`: as a tree, as JSON, as a graph."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import docs
from tests.cli.conftest import Cli, Open
from tests.cli.terminal import colours

GOLDEN = Path(__file__).parent / "golden"
RUNTIME = {"XDG_RUNTIME_DIR": "/run/user/1000"}  # planned for, not made


def plan(cli: Cli, *options: str, **env: str) -> str:
    ran = cli.run("plan", "-f", "plan.toml", *options, cwd=GOLDEN, **RUNTIME, **env)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_piped_it_is_plain_and_nothing_is_cut(cli: Cli) -> None:
    assert plan(cli) == (GOLDEN / "plan.txt").read_text()


def test_a_pipe_has_no_columns(cli: Cli) -> None:
    assert plan(cli, COLUMNS="40") == (GOLDEN / "plan.txt").read_text()


def test_on_a_terminal_it_is_as_wide_as_that(terminal: Open) -> None:
    shown = terminal("plan", "-f", "plan.toml", columns=60, cwd=GOLDEN, **RUNTIME)
    assert shown.wait() == 0
    assert shown.screen == (GOLDEN / "plan-60.txt").read_text()
    assert max(map(len, shown.screen.splitlines())) == 60
    assert "\x1b[1m" in shown.written


def test_it_has_no_colour_where_none_is_wanted(terminal: Open) -> None:
    shown = terminal("plan", "-f", "plan.toml", cwd=GOLDEN, NO_COLOR="1", **RUNTIME)
    assert shown.wait() == 0
    assert not colours(shown.written)


def test_as_json_it_has_what_the_reference_says(cli: Cli) -> None:
    data = json.loads(plan(cli, "--json"))
    assert list(data) == list(docs.PLAN_KEYS)
    assert [list(member) for member in data["members"]] == [list(docs.MEMBER_KEYS)] * 6
    assert data["start"] == [["fetch", "later"], ["tidy"], ["report"], ["web"], ["tls"]]
    assert data["stop"] == [["tls"], ["web"], ["report"], ["later"]]
    assert (data["grace"], data["start_timeout"]) == (90, None)


def test_the_members_in_json(cli: Cli) -> None:
    members = {member["name"]: member for member in json.loads(plan(cli, "--json"))["members"]}
    assert members["web"]["after"] == {"fetch": "ended", "tidy": "succeeded", "report": "ready"}
    assert members["web"]["probes"] == {
        "startup": {"method": "file", "target": ["/run/user/1000/pairvisor/gates/volume/warm"]},
        "ready": {"method": "unix", "target": ["/run/user/1000/pairvisor/gates/sockets/web.sock"]},
        "live": {"method": "exec", "target": ["true", "a b"]},
    }
    assert (members["later"]["stop_signal"], members["later"]["stop_grace"]) == ("SIGINT", 5)
    assert members["tls"]["concern"] == "TLS [edge]"


def test_the_graph_has_a_node_a_member_and_an_arrow_a_gate(cli: Cli) -> None:
    lines = plan(cli, "--dot").splitlines()
    assert (lines[0], lines[-1]) == ('digraph "gates" {', "}")
    nodes = [m[1] for line in lines if (m := re.fullmatch(r'  "(\w+)" \[shape=\w+\]', line))]
    arrow = r'  "(\w+)" -> "(\w+)" \[label="(\w+)"\]'
    arrows = [m.groups() for line in lines if (m := re.fullmatch(arrow, line))]
    assert len(nodes) == len(set(nodes)) == 6
    assert ("later", "report", "ended") in arrows
    assert len(arrows) == 7
    assert len(lines) == 3 + len(nodes) + len(arrows)


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz: apt-get install graphviz")
def test_graphviz_draws_the_graph(cli: Cli) -> None:
    graph = plan(cli, "--dot").encode()
    drawn = subprocess.run(["dot", "-Tsvg"], input=graph, capture_output=True, check=False)
    assert (drawn.returncode, drawn.stderr) == (0, b"")


def test_one_form_at_a_time(cli: Cli) -> None:
    ran = cli.run("plan", "-f", "plan.toml", "--dot", "--json", cwd=GOLDEN)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--dot and --json exclude each other" in ran.stderr


def test_a_broken_manifest_has_no_plan(cli: Cli) -> None:
    cli.write("[primary]\ncommand = 5\n")
    ran = cli.run("plan", "--json")
    assert (ran.returncode, ran.stdout) == (78, "")
    assert ran.stderr.startswith("pairvisor.toml:2: primary.command: ")


def test_who_reads_whom_and_the_stop_that_follows(cli: Cli) -> None:
    cli.write(
        """
        [primary]
        command = "true"
        log = { file = "app.log" }
        [sidecars.tls]
        command = "true"
        after = ["primary"]
        [sidecars.ship]
        command = "true"
        stdin = ["primary", "tls"]
        """
    )
    text = cli.run("plan").stdout
    assert "reads primary, tls" in text
    assert "writes to " in text
    told = json.loads(cli.run("plan", "--json").stdout)
    assert told["stop"] == [["tls"], ["primary"], ["ship"]]
