"""The table of faults in docs/reliability.md, made of what each module of tests says of its own."""

import ast
import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reliability.md"
FOLDERS = ("process", "systemd", "sweep")
_ROW = re.compile(r"^\| (.+?) \| (.+?) \|$", re.MULTILINE)
_HEADS = {"fault", "promise", "---"}
_MARKED = re.compile(r"(<!-- faults -->\n).*?(<!-- end -->)", re.DOTALL)


def modules() -> list[Path]:
    return sorted(path for f in FOLDERS for path in (ROOT / "tests" / f).glob("test_*.py"))


def faults(module: Path) -> list[tuple[str, str]]:
    """What it says to bring about or to hold, and by which tests."""
    rows = _ROW.findall(ast.get_docstring(ast.parse(module.read_text())) or "")
    return [(what, tests) for what, tests in rows if what not in _HEADS]


def missing() -> Iterator[str]:
    """Tests that are spoken of and are not there."""
    for module in modules():
        names = re.findall(r"^def (test_\w+)", module.read_text(), re.MULTILINE)
        for _, tests in faults(module):
            for pattern in re.findall(r"test_[\w*]+", tests):
                if not fnmatch.filter(names, pattern):
                    yield f"{module.name}: {pattern}"


def table() -> str:
    lines = ["| fault, or promise | where |", "| --- | --- |"]
    for module in modules():
        where = module.relative_to(ROOT / "tests")
        lines += [f"| {what} | `{where}`: {_ticked(tests)} |" for what, tests in faults(module)]
    return "\n".join(lines) + "\n"


def _ticked(tests: str) -> str:
    return re.sub(r"test_[\w*]+", lambda match: f"`{match[0]}`", tests)


def page() -> str:
    """docs/reliability.md, with the table made anew."""
    return _MARKED.sub(lambda match: match[1] + table() + match[2], PAGE.read_text())
