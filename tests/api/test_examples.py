"""Every command in docs/api.md is run, by a curl that is not ours, against a real group."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pairvisor.api.routes import ROUTES
from tests.api import page
from tests.support import WITHIN, Up, up

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

GROUP = """
    [primary]
    name = "web"
    command = ["sh", "-c", "echo serving; exec sleep 1000"]

    [sidecars.tls]
    command = ["sh", "-c", "trap 'echo again' HUP; echo ready; while :; do sleep 1000 & wait; done"]
    ready = { log = "ready" }
"""


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Up]:
    with up(tmp_path, GROUP) as group:
        group.read_until("is ready, after")
        group.read_until("group test is ready")
        yield group


def run(group: Up, command: str) -> str:
    environment = {**os.environ, "PAIRVISOR_CONTROL": str(group.run / "control.sock")}
    done = subprocess.run(
        ["sh", "-c", command.partition(" #")[0].replace("curl ", "curl -sS --fail-with-body ", 1)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


ONCE = [
    (route, command)
    for route in ROUTES
    for command in page.examples(route.path)
    if "follow=true" not in command and "whole group" not in command
]


@pytest.mark.parametrize(("route", "command"), ONCE, ids=lambda one: getattr(one, "path", ""))
def test_an_example_answers_what_it_says(group: Up, route: object, command: str) -> None:
    answer = run(group, command)
    answers, media = route.answers, route.media  # type: ignore[attr-defined]
    if answers is None:
        assert media.startswith("text/plain")
        assert "pairvisor_group_ready" in answer
    else:
        msgspec.json.decode(answer, type=answers)


def test_streams_end_with_the_group_and_have_its_last_words(group: Up) -> None:
    environment = {**os.environ, "PAIRVISOR_CONTROL": str(group.run / "control.sock")}
    followers = [
        subprocess.Popen(
            ["sh", "-c", command.partition(" #")[0].replace("curl ", "exec curl -sS ", 1)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for path in ("/v1/events", "/v1/logs")
        for command in page.examples(path)
        if "follow=true" in command
    ]
    outputs = [follower.stdout for follower in followers if follower.stdout is not None]
    for output in outputs:
        assert output.readline()
    run(group, next(c for c in page.examples("/v1/stop") if "whole group" in c))
    events, logs = (output.read() for output in outputs)
    for output in outputs:
        output.close()
    last = re.findall(r"^event: (.*)\ndata: (.*)$", events, re.MULTILINE)[-1]
    assert last[0] == "group-ended"
    assert json.loads(last[1])["status"] == 0
    assert '"message":"serving"' in logs
    assert group.wait() == 0
    assert [follower.wait(WITHIN) for follower in followers] == [0, 0]
