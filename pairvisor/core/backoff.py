"""When the next start is: at once after a healthy run, then later and later, up to a limit."""

from pairvisor.core.state import Backoff
from pairvisor.manifest.group import Restart


def delay(policy: Restart, level: int, noise: float = 0.0) -> float:
    """Seconds before the restart that is the `level`-th in a row, counted from 0.

    The first is immediate. Jitter only shortens, so `policy.max` holds; with `noise` 0 the
    delays never fall from one level to the next.
    """
    if level == 0:
        return 0.0
    try:
        base = min(policy.max, policy.initial * policy.factor ** (level - 1))
    except OverflowError:  # so large a power is past any maximum, but for nothing times it
        base = policy.max if policy.initial else 0.0
    return base * (1 - policy.jitter * noise)


def record_restart(
    backoff: Backoff, policy: Restart, since: float, now: float, noise: float
) -> float:
    """Note a restart of what had been ready since then (`inf`: never); the seconds to wait."""
    level = 0 if now - since >= policy.reset_after else backoff.level
    backoff.level = level + 1
    if policy.limit:
        backoff.recent = [*_within(backoff, policy, now), now]
    return delay(policy, level, noise)


def forgive(backoff: Backoff, policy: Restart, since: float, now: float) -> None:
    """Note the end of a run that somebody asked for: where it was healthy the row begins anew."""
    if now - since >= policy.reset_after:
        backoff.level = 0


def is_exhausted(backoff: Backoff, policy: Restart, now: float) -> bool:
    """Whether one more restart would be one too many."""
    return 0 < policy.limit <= len(_within(backoff, policy, now))


def _within(backoff: Backoff, policy: Restart, now: float) -> list[float]:
    return [at for at in backoff.recent if at > now - policy.within]
