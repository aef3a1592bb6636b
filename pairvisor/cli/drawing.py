"""A timeline as an SVG that stands alone, in the colours of a light or a dark page."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from pairvisor.cli.measures import span
from pairvisor.cli.timeline import critical_path, duration, extent, headline, settled
from pairvisor.record.model import Bar, Timeline

WIDTH, NAMES, RIGHT = 800, 150, 70  # of all, of the names, of the times
ROW, BAR = 26, 14
TOP, BOTTOM = 68, 14
STEPS = 4
# No custom properties: not every program that shows an SVG knows them.
STYLE = """
  .page { fill: #fff; }
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 14px; }
  .faint { fill: #6e7781; }
  .right { text-anchor: end; }
  .middle { text-anchor: middle; }
  .grid { stroke: #d0d7de; }
  .waiting { stroke: #6e7781; stroke-dasharray: 2 4; }
  .bar { fill: #2da44e; }
  .critical { fill: #bf3989; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; }
    text { fill: #e6edf3; }
    .faint { fill: #8b949e; }
    .grid { stroke: #30363d; }
    .waiting { stroke: #8b949e; }
    .bar { fill: #3fb950; }
    .critical { fill: #db61a2; }
  }
"""


def drawing(timeline: Timeline) -> str:
    """The whole document."""
    height = TOP + ROW * len(timeline.bars) + BOTTOM
    body = "\n".join(_body(timeline, height))
    title = escape(f"{timeline.group}: {headline(timeline)}")
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" \
width="{WIDTH}" height="{height}" role="img">
<title>{title}</title>
<style>{STYLE}</style>
<rect class="page" width="{WIDTH}" height="{height}"/>
{body}
</svg>
"""


def _body(timeline: Timeline, height: int) -> Iterator[str]:
    seconds = extent(timeline) or 1.0
    title = escape(f"{timeline.group}: {headline(timeline)}")
    yield f'<text class="title" x="12" y="22">{title}</text>'
    yield f'<text class="faint" x="12" y="40">{escape(critical_path(timeline))}</text>'
    for step in range(STEPS + 1):
        x = _x(seconds * step / STEPS, seconds)
        label = span(seconds * step / STEPS)
        yield f'<text class="faint middle" x="{x:.1f}" y="{TOP - 10}">{label}</text>'
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{height - 8}"/>'
    for number, bar in enumerate(timeline.bars):
        yield from _row(bar, TOP + number * ROW, seconds)


def _row(bar: Bar, top: int, seconds: float) -> Iterator[str]:
    middle = top + ROW / 2
    end = settled(bar)
    begin = _x(seconds if bar.spawned is None else bar.spawned, seconds)
    yield f'<text x="12" y="{middle + 4}">{escape(_shortened(bar.member))}</text>'
    if begin > NAMES:
        yield f'<line class="waiting" x1="{NAMES}" x2="{begin:.1f}" y1="{middle}" y2="{middle}"/>'
    if bar.spawned is not None:
        wide = max(_x(seconds if end is None else end, seconds) - begin, 2)
        kind = "critical" if bar.is_critical else "bar"
        yield (
            f'<rect class="{kind}" x="{begin:.1f}" y="{middle - BAR / 2}" width="{wide:.1f}" '
            f'height="{BAR}" rx="2"><title>{escape(_about(bar))}</title></rect>'
        )
    yield f'<text class="right" x="{WIDTH - 12}" y="{middle + 4}">{duration(bar)}</text>'


def _x(seconds: float, of: float) -> float:
    return NAMES + (WIDTH - NAMES - RIGHT) * seconds / of


def _shortened(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _about(bar: Bar) -> str:
    waited = f", after {', '.join(bar.waited_for)}" if bar.waited_for else ""
    return f"{bar.member}{waited}"
