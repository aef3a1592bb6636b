"""Templates: found by name, filled in, laid beneath what the manifest says; and what is wrong."""

from pathlib import Path

import pytest

from pairvisor.manifest.group import Gate, Reload
from tests.manifest.conftest import Loader, Refuser
from tests.manifest.shipped import PAGE, page, shipped

TEMPLATE = """
summary = "Copies"
program = "sleep"
install = "apt-get install coreutils"
[parameters]
listen = { type = "address", description = "where", unix = "unix:${path}", tcp = "${host}/${port}" }
many = { type = "integer", default = 3, description = "how many" }
paths = { type = "list", default = [], description = "which", format = "deny ${value};" }
tls = { type = "path", optional = true, description = "a file", format = "ssl ${value}" }
slow = { type = "boolean", default = false, description = "slow?", format = "slow on" }
wait = { type = "duration", default = "1m", description = "how long" }
room = { type = "size", default = "2KiB", description = "how much" }
kind = { default = "a", choices = ["a", "b"], description = "which kind" }
[sidecar]
command = ["sleep", "${with.listen}", "${with.many.text}", "${with.paths}", "${with.tls}", "$$x"]
success_codes = [0, "${with.many}"]
start_timeout = "${with.wait}"
env = { ALL = "${with.paths.joined}|${with.wait.seconds}|${with.room.bytes}|${with.listen.local}" }
after = []
[sidecar.files."x.conf"]
text = "${with.slow};${with.tls};${with.kind};$${with.kind};${member};${files.x.conf}"
"""
MANIFEST = """
[primary]
command = "sleep 9"
[sidecars.side]
use = "copy"
with = { %s }
"""


@pytest.fixture(autouse=True)
def _template(tmp_path: Path) -> None:
    (tmp_path / "sidecars").mkdir()
    (tmp_path / "sidecars/copy.toml").write_text(TEMPLATE)


def test_it_is_filled_in(resolved: Loader, tmp_path: Path) -> None:
    side = resolved(MANIFEST % 'listen = "8080", paths = ["/a", "/b"], slow = true').members["side"]
    assert side.command == ("sleep", "127.0.0.1/8080", "3", "deny /a;", "deny /b;", "$x")
    assert side.success_codes == {0, 3}
    assert side.start_timeout == 60
    assert side.env["ALL"] == "deny /a; deny /b;|60|2048|127.0.0.1:8080"
    (file,) = side.files
    assert file.path == "/run/user/1000/pairvisor/shop/files/side/x.conf"
    assert file.text == f"slow on;;a;${{with.kind}};side;{file.path}"
    assert side.origin == "manifest (template copy)"


def test_forms_of_addresses_and_paths(resolved: Loader, tmp_path: Path) -> None:
    def side(given: str) -> tuple[str, ...]:
        return resolved(MANIFEST % given).members["side"].command[1:]

    run = "/run/user/1000/pairvisor/shop"
    assert side('listen = "app.sock", tls = "x.pem"') == (
        f"unix:{run}/sockets/app.sock",
        "3",
        f"ssl {tmp_path}/x.pem",
        "$x",
    )
    assert side('listen = "${volume}/a"')[0] == f"unix:{run}/volume/a"
    assert side('listen = "[::1]:80", many = 7')[:2] == ("[::1]/80", "7")


def test_the_manifest_counts_more(resolved: Loader) -> None:
    text = MANIFEST % 'listen = "80"' + 'after = ["primary"]\nenv = { MORE = "1" }\n'
    side = resolved(text).members["side"]
    assert side.after == {"primary": Gate.READY}
    assert {"ALL", "MORE"} <= side.env.keys()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", '6: sidecars.side.with: copy needs listen: where (with = { listen = "…" })'),
        ("listen = true", "6: sidecars.side.with.listen: expected an address such as"),
        (
            'listen = "80", many = "3"',
            '6: sidecars.side.with.many: expected a whole number, got "3"',
        ),
        ('listen = "80", mony = 3', '(did you mean "many"?)'),
        ('listen = "80", kind = "c"', 'one of a, b, got "c"'),
        ('listen = "80", paths = "x"', "expected a list of texts"),
        ('listen = "80", wait = "soon"', "6: sidecars.side.with.wait: "),
        ('listen = "80:80:80"', "an IPv6 address is written in brackets"),
        ('listen = "80", kind = "a\\nb"', "without control characters"),
    ],
)
def test_what_is_wrong_with_its_parameters(refused: Refuser, given: str, said: str) -> None:
    (problem,) = refused(MANIFEST % given)
    assert said in problem


def test_what_is_wrong_with_its_use(refused: Refuser) -> None:
    text = MANIFEST.replace("copy", "copi") % 'listen = "80"'
    (problem,) = refused(text)
    assert problem.startswith('5: sidecars.side.use: no sidecar template is called "copi" (did you')
    (problem,) = refused(
        '[primary]\ncommand = "true"\n[sidecars.a]\ncommand = "true"\nwith = { a = 1 }'
    )
    assert problem == '5: sidecars.a.with: only where a template is used: use = "NAME"'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("summary =", "sumary =", ':2: sumary: unknown key (did you mean "summary"?)'),
        (
            "${with.many.text}",
            "${with.mani}",
            ":15: sidecar.command: ${with.mani}: no parameter is",
        ),
        ('command = ["sleep"', 'command = ["none-such"', ":15: sidecar.command: cannot run"),
        ("[sidecar]", "[sidecar]\nuse = 'x'", ":15: sidecar.use: a template can't use another one"),
        ("${files.x.conf}", "${files.y}", 'sidecar.files."x.conf".text: ${files.y}: no file is'),
    ],
)
def test_what_is_wrong_in_it_is_told_by_its_own_lines(
    resolved: Loader, tmp_path: Path, old: str, new: str, said: str
) -> None:
    from pairvisor.manifest.errors import ManifestError  # noqa: PLC0415

    (tmp_path / "sidecars/copy.toml").write_text(TEMPLATE.replace(old, new))
    with pytest.raises(ManifestError) as caught:
        resolved(MANIFEST % 'listen = "80"')
    told = [str(problem) for problem in caught.value.problems]
    assert any(f"{tmp_path}/sidecars/copy.toml" in each and said in each for each in told), told


def test_a_missing_program_is_told_with_how_to_install_it(resolved: Loader, tmp_path: Path) -> None:
    from pairvisor.manifest.errors import ManifestError  # noqa: PLC0415

    text = TEMPLATE.replace('command = ["sleep"', 'command = ["none-such"')
    (tmp_path / "sidecars/copy.toml").write_text(text)
    with pytest.raises(ManifestError, match="to install it: apt-get install coreutils"):
        resolved(MANIFEST % 'listen = "80"')


def test_the_page_of_those_that_ship_is_up_to_date() -> None:
    assert page() == PAGE.read_text(), "run ./dev docs"


@pytest.mark.parametrize("found", shipped(), ids=lambda found: found.name)
def test_each_that_ships_says_how_to_use_it(found: object) -> None:
    from pairvisor.manifest.templates import Found  # noqa: PLC0415

    assert isinstance(found, Found)
    head = found.text.partition("\n\n")[0] + found.text
    assert f'use = "{found.name}"' in head
    required = [n for n, p in found.template.parameters.items() if p.default is None]
    for name in required:
        parameter = found.template.parameters[name]
        assert parameter.optional or parameter.example is not None


def test_a_reload_by_change_alone_is_a_restart(resolved: Loader, tmp_path: Path) -> None:
    text = '[primary]\ncommand = "true"\nreload = { %s }'
    primary = resolved(text % 'on_change = ["*.json"]').primary
    assert (primary.reload, primary.reload_on) == (None, (f"{tmp_path}/*.json",))
    primary = resolved(text % 'signal = "HUP", on_change = ["*.json"]').primary
    assert (primary.reload, primary.reload_on) == (Reload(signal=1), (f"{tmp_path}/*.json",))
