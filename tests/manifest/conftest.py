"""A folder with a manifest in it, and what loading that gives."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.group import Group
from pairvisor.manifest.load import load

ENVIRON = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": "/run/user/1000"}
USER = 1000

Loader = Callable[..., Group]
Refuser = Callable[..., list[str]]


@pytest.fixture
def resolved(tmp_path: Path) -> Loader:
    """Load a manifest's text as shop.toml; variables are added to a small environment."""

    def load_text(text: str, uid: int = USER, **environ: str) -> Group:
        manifest = tmp_path / "shop.toml"
        manifest.write_text(text)
        return load(manifest, ENVIRON | environ, uid)

    return load_text


@pytest.fixture
def refused(resolved: Loader) -> Refuser:
    """The messages of a manifest's text, without its file's name."""

    def messages(text: str, **environ: str) -> list[str]:
        with pytest.raises(ManifestError) as caught:
            resolved(text, **environ)
        return [str(problem).partition("shop.toml:")[2] for problem in caught.value.problems]

    return messages
