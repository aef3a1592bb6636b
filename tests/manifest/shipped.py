"""docs/sidecars.md: the tables of its keys, and of the templates that ship with pairvisor."""

import re
from pathlib import Path

from pairvisor.manifest.parameters import written
from pairvisor.manifest.reference import with_tables
from pairvisor.manifest.report import Report
from pairvisor.manifest.template import Parameter
from pairvisor.manifest.templates import SHIPPED, Found, Templates

PAGE = Path(__file__).parents[2] / "docs" / "sidecars.md"
_MARKED = re.compile(r"(<!-- templates -->\n).*?(<!-- end -->)", re.DOTALL)


def shipped() -> list[Found]:
    """All templates that come with pairvisor."""
    templates = Templates("/nonexistent", {"HOME": "/nonexistent"}, 1)
    templates.folders = [SHIPPED]
    found = [templates.find(name, Report()) for name in templates.names()]
    assert None not in found
    return [each for each in found if each is not None]


def page() -> str:
    """The page as it is to be."""
    told = "\n".join(map(_told, shipped()))
    return _MARKED.sub(lambda match: match[1] + told + match[2], with_tables(PAGE.read_text()))


def _told(found: Found) -> str:
    template = found.template
    concern = template.sidecar["concern"]
    rows = [
        f"| `{name}` | {_kind(parameter)} | {parameter.description} |"
        for name, parameter in template.parameters.items()
    ]
    return "\n".join(
        [
            f"### `{found.name}`",
            "",
            f"{concern}: {template.summary}. `{template.install}`",
            "",
            "| parameter | type, and default | |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _kind(parameter: Parameter) -> str:
    if parameter.default is not None:
        return f"{parameter.type}, `{written(parameter.default)}`"
    return f"{parameter.type}, {'optional' if parameter.optional else '**required**'}"
