"""Whole lives of small real groups."""

import signal
from pathlib import Path

from tests.support import up


def test_a_stop_that_was_asked_for_ends_all_in_the_reverse_order(tmp_path: Path) -> None:
    manifest = """
    [sidecars.side]
    command = "sleep inf"
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("^pairvisor . group .* is ready")
        group.signal(signal.SIGTERM)
        assert group.wait() == 0
        assert group.said.index("primary stopped") < group.said.index("side stopped")
        assert not group.processes()
