"""The soak for a moment: `./dev soak --minutes 60` is the one that finds slow leaks."""

from random import Random

import pytest

from tests.sweep.soak import soak


@pytest.mark.slow
def test_nothing_grows_in_twenty_seconds() -> None:
    assert not soak(seconds=16, number=2, seed=Random().randrange(2**32))
