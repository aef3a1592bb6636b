"""Groups and the machine's end, in a box that nothing else has run in.

| fault | test |
| --- | --- |
| the machine starts again | test_what_is_enabled_comes_up_* |
"""

import pytest

from tests.support import eventually
from tests.systemd.box import Box, needs_box
from tests.systemd.units import WEB, write

pytestmark = [needs_box, pytest.mark.slow]


def test_what_is_enabled_comes_up_with_the_machine(box: Box) -> None:
    units = [write(box, name, WEB) for name in ("first", "second")]
    box.run(f"systemctl enable --now {' '.join(units)}")
    box.reboot()
    for unit in units:
        eventually(lambda unit=unit: box.show(unit, "ActiveState") == ["active"])  # type: ignore[misc]
    assert "first" in box.run("pairvisor ls")
    box.run(f"systemctl disable --now {' '.join(units)}")
