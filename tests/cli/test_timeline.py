"""`timeline`: bars in a terminal of any width, and an SVG."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from msgspec.structs import replace

from pairvisor.cli.drawing import drawing
from pairvisor.cli.screen import Screen, width
from pairvisor.cli.timeline import ASCII, BLOCKS, Glyphs, lines
from pairvisor.record.model import Bar, Timeline
from tests.cli.conftest import Cli, Start
from tests.cli.examples import TIMELINE

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
UNREADY = replace(
    TIMELINE,
    took=None,
    bars=[
        TIMELINE.bars[0],
        replace(TIMELINE.bars[1], ready=None),
        replace(TIMELINE.bars[2], spawned=None, ready=None),
    ],
)
NOTHING = Timeline(group="shop", round=0, at="", took=None, bars=[])


def drawn(timeline: Timeline, columns: int | None = None, glyphs: Glyphs = BLOCKS) -> str:
    return "".join(f"{line}\n" for line in lines(timeline, Screen(columns), glyphs))


@pytest.mark.parametrize("columns", [None, 200, 80, 40])
def test_bars(columns: int | None) -> None:
    golden = GOLDEN / f"timeline-{columns or 'piped'}.txt"
    assert drawn(TIMELINE, columns) == golden.read_text()


def test_a_terminal_without_blocks() -> None:
    assert drawn(TIMELINE, 60, ASCII).isascii()


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
def test_they_fit(columns: int) -> None:
    for timeline in (TIMELINE, UNREADY):
        head, *bars = lines(timeline, Screen(columns), BLOCKS)
        assert all(width(bar) <= columns for bar in bars)
        assert width(head) <= max(columns, len("shop: ready after 2.2s, start 2"))


def test_one_that_is_not_ready_yet() -> None:
    head, migrate, tls, web = lines(UNREADY, Screen(60), BLOCKS)
    assert head.startswith("shop: not ready yet, start 2")
    assert migrate.startswith("* migrate  ██")
    assert re.fullmatch(r"  tls +·+█+ +", tls)
    assert re.fullmatch(r"\* web +·+ +", web)


@pytest.mark.parametrize("timeline", [NOTHING, replace(TIMELINE, bars=[])])
def test_nothing_to_draw(timeline: Timeline) -> None:
    assert len(drawn(timeline).splitlines()) == 1
    ET.fromstring(drawing(timeline))


def test_a_start_that_took_no_time_at_all() -> None:
    bar = Bar(member="a", waited_for=[], spawned=0.0, ready=0.0, ended=None, is_critical=True)
    at_once = replace(TIMELINE, took=0.0, bars=[bar])
    assert "█" in drawn(at_once)
    ET.fromstring(drawing(at_once))


def test_the_drawing_has_a_bar_a_member_and_marks_the_critical() -> None:
    page = ET.fromstring(drawing(TIMELINE))
    bars = [r for r in page.iter(f"{SVG}rect") if r.get("class") in ("bar", "critical")]
    assert [bar.get("class") for bar in bars] == ["critical", "bar", "critical"]
    right = [float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars]
    assert max(right) == right[2] <= float(page.attrib["width"])
    assert float(bars[1].attrib["x"]) == float(bars[2].attrib["x"]) > float(bars[0].attrib["x"])
    texts = [text.text for text in page.iter(f"{SVG}text")]
    assert {"migrate", "tls", "web", "critical path: migrate, web"} <= set(texts)
    assert "prefers-color-scheme: dark" in drawing(TIMELINE)


def test_the_drawing_of_any_name_is_well_formed() -> None:
    odd = replace(TIMELINE, group='<&"> a', bars=[replace(TIMELINE.bars[0], member="x" * 63)])
    assert '<&"> a: ready after 2.2s, start 2' in "".join(ET.fromstring(drawing(odd)).itertext())


def test_of_a_real_group(cli: Cli, start: Start) -> None:
    start(
        cli.write(
            'name = "shop"\n[init.first]\ncommand = "true"\n[sidecars.tls]\ncommand = "sleep inf"\n'
            '[primary]\ncommand = "sleep inf"\nready = { exec = "sleep 0.1" }\n'
        )
    ).read_until("group shop is ready")
    head, first, tls, primary = cli.run("timeline").stdout.splitlines()
    assert re.match(r"shop: ready after \d+ms, start 1; critical path: first, tls, primary", head)
    assert [line.split()[-2:] for line in (first, tls, primary)]
    assert first.startswith("* first ")
    assert re.search(r"·█+ +\d+m?s$", primary)
    document = json.loads(cli.run("timeline", "--json").stdout)
    assert [bar["member"] for bar in document["bars"]] == ["first", "tls", "primary"]


def test_into_a_file(cli: Cli, start: Start) -> None:
    start(cli.write('name = "a"\n[primary]\ncommand = "sleep inf"\n')).read_until("a is ready")
    ran = cli.run("timeline", "--svg", "start.svg")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    ET.parse(cli.folder / "start.svg")
    ET.fromstring(cli.run("timeline", "--svg", "-").stdout)
    ran = cli.run("timeline", "--svg", "no/where.svg")
    assert ran.returncode == 2
    assert "cannot write no/where.svg: No such file or directory" in ran.stderr
    assert cli.run("timeline", "--svg", "x.svg", "--json").returncode == 2
