"""Both containments, for tests that have to hold with each: wrappers for `up`."""

import pytest

from pairvisor.runtime.cgroup import find_cgroup

_OWN = find_cgroup()
WHY_NO_CGROUP = _OWN.why_not
# Where the kernel's cgroups can't be seen, sessions are all that there is.
HIDDEN = ("unshare", "--mount", "sh", "-c", f'umount {_OWN.mount} && exec "$@"', "sh")

needs_cgroup = pytest.mark.skipif(bool(WHY_NO_CGROUP), reason=WHY_NO_CGROUP or "-")


def wrapper(containment: str) -> tuple[str, ...]:
    """What makes a group's containment that one."""
    return HIDDEN if containment == "session" and not WHY_NO_CGROUP else ()


def each_containment() -> pytest.MarkDecorator:
    """Parametrizes a test by `containment`."""
    cgroup = pytest.param("cgroup", marks=needs_cgroup)
    return pytest.mark.parametrize("containment", [cgroup, "session"])
