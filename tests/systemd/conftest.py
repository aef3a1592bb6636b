"""A box for the tests of each module."""

from collections.abc import Iterator

import pytest

from tests.systemd.box import Box, boxed


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with boxed(tmp_path_factory.mktemp("box")) as made:
        yield made
