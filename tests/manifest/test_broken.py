"""Each broken manifest gets exactly the message that stands beside it."""

import os
from pathlib import Path

import pytest

from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.load import load

BROKEN = Path(__file__).parent / "broken"
ENVIRON = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": "/run/user/1000"}
USER = 1000


def said_of(path: str | os.PathLike[str], uid: int = USER) -> str:
    with pytest.raises(ManifestError) as caught:
        load(path, ENVIRON, uid)
    return "".join(f"{problem}\n" for problem in caught.value.problems)


@pytest.mark.parametrize("manifest", sorted(BROKEN.glob("*.toml")), ids=lambda path: path.stem)
def test_all_that_is_wrong_is_said(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    said = said_of(manifest.name).replace(str(BROKEN), "FOLDER")
    assert said == manifest.with_suffix(".expected").read_text()
