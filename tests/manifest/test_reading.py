"""Files that can't be read, or shouldn't be."""

import os
import re
from pathlib import Path

import pytest

from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.load import load

SOUND = '[primary]\ncommand = "sleep 100"\n'
ENVIRON = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": "/run/user/1000"}


def said_of(path: Path, uid: int = 1000) -> str:
    with pytest.raises(ManifestError) as caught:
        load(path, ENVIRON, uid)
    return "\n".join(str(p) for p in caught.value.problems).replace(str(path), "FILE")


def test_missing(tmp_path: Path) -> None:
    assert said_of(tmp_path / "none.toml") == "FILE: no such file"


def test_folder(tmp_path: Path) -> None:
    assert said_of(tmp_path) == "FILE: a folder, not a file"


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.toml")
    assert said_of(tmp_path / "fifo.toml") == "FILE: not a regular file"


def test_link_to_itself(tmp_path: Path) -> None:
    link = tmp_path / "loop.toml"
    link.symlink_to(link)
    assert said_of(link) == "FILE: cannot read it: Too many levels of symbolic links"


def test_nul_in_the_path(tmp_path: Path) -> None:
    said = said_of(tmp_path / "a\0b")
    assert re.fullmatch("FILE: cannot read it: .*embedded null .*", said)  # each Python's own words


def test_two_megabytes(tmp_path: Path) -> None:
    big = tmp_path / "big.toml"
    big.write_text(SOUND + "#" * 2 * 1024 * 1024)
    assert said_of(big) == "FILE: larger than 1024 KiB, which is the most it may have"


@pytest.mark.parametrize("opening", ["[", "{ a = "])
def test_deep_nesting(tmp_path: Path, opening: str) -> None:
    deep = tmp_path / "deep.toml"
    deep.write_text("labels = " + opening * 100_000)
    assert said_of(deep) == "FILE: lists or tables are nested too deeply"


@pytest.mark.parametrize("part", ["x", '"x y"', "'.'", '"\\""'])
def test_a_key_of_many_parts(tmp_path: Path, part: str) -> None:
    deep = tmp_path / "deep.toml"
    deep.write_text(SOUND + ".".join([part] * 100_000) + " = 1\n")
    assert said_of(deep) == "FILE:3: a key with a hundred parts or more"


@pytest.mark.parametrize("filler", ["a", '"', '\\"', "'", "a.", "[", "\n", "# ", "a b ", "- "])
def test_long_texts_are_no_work(tmp_path: Path, filler: str) -> None:
    long = tmp_path / "long.toml"
    long.write_text("# " + filler * (1_000_000 // len(filler)))
    said_of(long)


def test_number_with_too_many_digits(tmp_path: Path) -> None:
    long = tmp_path / "long.toml"
    long.write_text("grace = " + "9" * 5000)
    assert said_of(long).startswith("FILE: not TOML: Exceeds the limit")


def test_hexadecimal_number_that_python_does_not_print(tmp_path: Path) -> None:
    long = tmp_path / "long.toml"
    long.write_text(
        f"grace = 0x{'f' * 5000}\n{SOUND}success_codes = [0x{'f' * 5000}]\n"
        f"[restart]\nlimit = 0x{'f' * 5000}\nfactor = 0x{'f' * 5000}\n"
    )
    said = said_of(long).splitlines()
    assert len(said) == 4
    assert "huge number" in said[0]
    assert "huge number" in said[1]


def test_too_many_members(tmp_path: Path) -> None:
    many = tmp_path / "many.toml"
    sidecars = (f'[sidecars.s{n}]\ncommand = "sleep 1"\n' for n in range(1000))
    many.write_text(SOUND + "".join(sidecars))
    assert said_of(many) == "FILE: 1001 members; 1000 are the most that a group may have"


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    marked = tmp_path / "marked.toml"
    marked.write_text(SOUND, encoding="utf-8-sig")
    assert load(marked, ENVIRON, 1000).primary.command == ("sleep", "100")


def test_root_refuses_what_others_may_write(tmp_path: Path) -> None:
    manifest = tmp_path / "shop.toml"
    manifest.write_text(SOUND)
    manifest.chmod(0o646)
    assert said_of(manifest, uid=0) == (
        "FILE: others may write this file, so it is not used for root (chmod o-w FILE)"
    )
    assert load(manifest, ENVIRON, 1000).name == "shop"


def test_root_refuses_env_files_that_others_may_write(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=1\n")
    (tmp_path / "a.env").chmod(0o666)
    manifest = tmp_path / "shop.toml"
    manifest.write_text('env_file = "a.env"\n' + SOUND)
    assert "others may write this file" in said_of(manifest, uid=0)
