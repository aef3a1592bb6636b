"""Whole lives of small real groups."""

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
        group.read_until("is ready, after")
        group.read_until("^pairvisor . group .* is ready")
        assert group.stop() == 0
        assert group.said.index("primary was killed") < group.said.index("side was killed")
        assert not group.processes()
