"""The group in figures, for Prometheus and those who read its formats, by prometheus-client.

Who accepts OpenMetrics (https://openmetrics.io) gets it, as Prometheus does; who doesn't say so
gets the older text format, which promtool and others want.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pairvisor import __version__
from pairvisor.record.model import MemberStatus, Status

GROUP_STATES = ("starting", "running", "stopping", "backoff", "succeeded", "failed", "stopped")
MEMBER_STATES = ("waiting", *GROUP_STATES)


def expose(status: Status, accept: str) -> tuple[bytes, str]:
    """The text for a scrape by one who accepts that, and its media type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Status(status))
    encode, media = choose_encoder(accept)
    return encode(registry), media


class _Status(Collector):
    """A status document as metrics, each labelled with its group."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        yield from self._group()
        yield from self._members()

    def _group(self) -> Iterable[Metric]:
        group = self._status
        labels, values = ["group"], [group.group]
        info = InfoMetricFamily("pairvisor", "The supervisor.", labels=labels)
        info.add_metric(values, {"version": __version__, "containment": group.containment})
        state = StateSetMetricFamily("pairvisor_group_state", "The group's state.", labels=labels)
        state.add_metric(values, {name: name == group.state for name in GROUP_STATES})
        ready = GaugeMetricFamily("pairvisor_group_ready", "Whether it is ready.", labels=labels)
        ready.add_metric(values, float(group.ready))
        restarts = CounterMetricFamily(
            "pairvisor_group_restarts", "Restarts of the whole group.", labels=labels
        )
        restarts.add_metric(values, group.restarts)
        degraded = GaugeMetricFamily(
            "pairvisor_group_degraded", "Of its own duties, those it can't do now.", labels=labels
        )
        degraded.add_metric(values, len(group.degraded))
        return info, state, ready, restarts, degraded

    def _members(self) -> Iterable[Metric]:
        labels = ["group", "member", "role"]
        state = StateSetMetricFamily("pairvisor_member_state", "Its state.", labels=labels)
        for member in self._status.members:
            state.add_metric(
                self._labels(member), {name: name == member.state for name in MEMBER_STATES}
            )
        yield state
        for family, figure in _figures(labels):
            for member in self._status.members:
                if (value := figure(member)) is not None:
                    family.add_metric(self._labels(member), float(value))
            yield family

    def _labels(self, member: MemberStatus) -> list[str]:
        return [self._status.group, member.name, member.role]


Family = CounterMetricFamily | GaugeMetricFamily
Figure = Callable[[MemberStatus], float | None]


def _figures(labels: list[str]) -> list[tuple[Family, Figure]]:
    return [
        (
            GaugeMetricFamily("pairvisor_member_ready", "Whether it can serve.", labels=labels),
            lambda member: member.ready,
        ),
        (
            CounterMetricFamily("pairvisor_member_restarts", "How often.", labels=labels),
            lambda member: member.restarts,
        ),
        (
            CounterMetricFamily(
                "pairvisor_member_log_bytes", "Of its output so far.", labels=labels, unit="bytes"
            ),
            lambda member: member.log_bytes,
        ),
        (
            CounterMetricFamily(
                "pairvisor_member_lost_lines",
                "Of its output, that did not get where they belong.",
                labels=labels,
            ),
            lambda member: member.lost_lines,
        ),
        (
            GaugeMetricFamily(
                "pairvisor_member_cpu_seconds",
                "Processor time of its live processes, user and system.",
                labels=labels,
                unit="seconds",
            ),
            lambda member: member.cpu_seconds,
        ),
        (
            GaugeMetricFamily(
                "pairvisor_member_memory_bytes",
                "Resident memory of its live processes.",
                labels=labels,
                unit="bytes",
            ),
            lambda member: member.memory,
        ),
        (
            GaugeMetricFamily("pairvisor_member_processes", "Live ones.", labels=labels),
            lambda member: member.processes,
        ),
    ]
