"""The operator's Prometheus metrics, in a registry of their own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

PREFIX = "trading_operator_"
_PASS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# Fewer: there is one set of them for each verb and resource.
_REQUEST_SECONDS = (0.005, 0.025, 0.1, 0.5, 1, 5, 30)
Rows = Iterable[tuple[Sequence[str], float]]


@dataclass(frozen=True)
class Described:
    """One metric as its reader knows it."""

    name: str
    kind: str  # counter | gauge | histogram
    labels: tuple[str, ...]
    meaning: str


class ReadGauge(Collector):
    """A gauge whose series are read when Prometheus asks: what is gone has none."""

    def __init__(self, described: Described) -> None:
        self._described = described
        self._read: Callable[[], Rows] = tuple

    def read_from(self, read: Callable[[], Rows]) -> None:
        """Set where the series come from: label values in order, and the value."""
        self._read = read

    def describe(self) -> Iterator[Metric]:
        """Yield the gauge without its series."""
        yield self._build()

    def collect(self) -> Iterator[Metric]:
        """Yield the gauge as things stand."""
        family = self._build()
        for labels, value in self._read():
            family.add_metric(labels, value)
        yield family

    def _build(self) -> GaugeMetricFamily:
        described = self._described
        return GaugeMetricFamily(described.name, described.meaning, labels=described.labels)


class Metrics:
    """All metrics of one operator process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described: list[Described] = []
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._add_passes()
        self._add_requests()
        self._add_replica()
        self._add_systems()
        self._add_backups()
        self._add_trainings()

    def _add_passes(self) -> None:
        self.reconciles = self._count("reconcile", "Passes over a resource by result.", "result")
        self.reconcile_seconds = self._time(
            "reconcile_duration_seconds", "Time that a pass took.", _PASS_SECONDS
        )
        self.failures = self._count(
            "reconcile_failures",
            "Passes that did not reach their end, by reason: that of the API server's answer, "
            "NoAnswer, Timeout, or InternalError for a fault of the operator.",
            "reason",
        )
        self.queue_depth = self._gauge(
            "queue_depth", "Resources that wait for a pass of this replica; 0 unless it leads."
        )
        self.queue_oldest = self._gauge(
            "queue_oldest_seconds", "How long the first of them has waited."
        )

    def _add_requests(self) -> None:
        self.api_requests = self._count(
            "api_requests",
            "Requests to the API server, watches by their start; code 0 means no answer.",
            *("verb", "resource", "code"),
        )
        self.api_request_seconds = self._time(
            "api_request_duration_seconds",
            "Time that a request to the API server took, watches aside.",
            _REQUEST_SECONDS,
            *("verb", "resource"),
        )
        self.watch_restarts = self._count(
            "watch_restarts",
            "Watches that ended in an error and were started again.",
            "resource",
        )
        self.watch_silence = self._read_gauge(
            "watch_silence_seconds",
            "Time since a watch said something; the API server does so each minute at least. "
            "An empty namespace means all of them.",
            *("resource", "watched_namespace"),
        )
        self.events_dropped = self._count(
            "events_dropped", "Events that were not posted: refused, or too many at once."
        )

    def _add_replica(self) -> None:
        self.build = self._gauge("build_info", "Always 1; the version of this replica.", "version")
        self.leader = self._gauge("leader", "1 while this replica leads, else 0.")
        self.leads = self._count("leader_elections", "How often this replica began to lead.")
        self.cache_objects = self._read_gauge(
            "cache_objects", "Objects that this replica holds in memory.", "kind"
        )

    def _add_systems(self) -> None:
        self.systems = self._gauge("systems", "Trading systems that are known.")
        self.rollbacks = self._count(
            "rollbacks", "Changes that failed and went back to the last good revision."
        )
        self.systems_by_condition = self._read_gauge(
            "systems_by_condition",
            "Trading systems by the status of a condition; told by the leader alone.",
            *("type", "status"),
        )
        self.system_condition = self._read_gauge(
            "system_condition",
            "1 for the status that a condition of a trading system has, 0 for the two others; "
            "told by the leader alone, for the first 2000 systems by namespace and name.",
            *("namespace", "name", "type", "status"),
        )
        self.system_hibernated = self._read_gauge(
            "system_hibernated",
            "1 for each trading system that its spec hibernates; told by the leader alone.",
            *("namespace", "name"),
        )

    def _add_backups(self) -> None:
        told = "told by the leader alone, for the first 2000 Backups by namespace and name."
        self.backups = self._gauge("backups", "Backups that are known.")
        self.backup_condition = self._read_gauge(
            "backup_condition",
            "1 for the status that a condition of a Backup has, 0 for the two others; " + told,
            *("namespace", "name", "type", "status"),
        )
        gauges = {
            "last_success_timestamp_seconds": "When the newest set was published",
            "last_verified_restore_timestamp_seconds": "When the last drill ended that went well",
            "size_bytes": "Size of the newest set, before compression",
            "rpo_seconds": "Time between the data of the two newest sets",
            "rto_seconds": "Time that the last verified restore took",
            "missed_runs": "Scheduled runs that never began",
            "last_missed_run_timestamp_seconds": "When the newest of them should have begun",
            "first_run": "1 while the first backup of all is being taken, else 0",
        }
        self.backup_numbers = {
            name: self._read_gauge(f"backup_{name}", f"{meaning}; {told}", "namespace", "name")
            for name, meaning in gauges.items()
        }

    def _add_trainings(self) -> None:
        told = "told by the leader alone, for the first 2000 by namespace and name."
        self.training_jobs = self._gauge("training_jobs", "ModelTrainingJobs that are known.")
        self.training_condition = self._read_gauge(
            "training_condition",
            "1 for the status that a condition of a ModelTrainingJob has, 0 for the two others; "
            + told,
            *("namespace", "name", "type", "status"),
        )
        gauges = {
            "last_success_timestamp_seconds": "When the newest run ended that trained a version",
            "model_promoted_timestamp_seconds": "Since when the version is traded that is traded",
            "model_expires_timestamp_seconds": "When that version is older than expireAfter",
            "model_rollbacks": "Versions that went back, of the entries that the status remembers",
            "model_last_rollback_timestamp_seconds": "When the newest of them went back",
            "missed_runs": "Scheduled runs that never began",
            "running": "1 while a run is under way or waited for, else 0",
        }
        self.training_waiting = self._read_gauge(
            "training_waiting",
            "1 while the pod of a run does not run, with the reason why; " + told,
            *("namespace", "name", "reason"),
        )
        self.training_numbers = {
            name: self._read_gauge(f"training_{name}", f"{meaning}; {told}", "namespace", "name")
            for name, meaning in gauges.items()
        }

    def _describe(self, name: str, kind: str, meaning: str, labels: tuple[str, ...]) -> Described:
        suffix = "_total" if kind == "counter" else ""
        described = Described(f"{PREFIX}{name}{suffix}", kind, labels, meaning)
        self.described.append(described)
        return described

    def _count(self, name: str, meaning: str, *labels: str) -> Counter:
        full = self._describe(name, "counter", meaning, labels).name
        return Counter(full, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        full = self._describe(name, "gauge", meaning, labels).name
        return Gauge(full, meaning, labels, registry=self.registry)

    def _time(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        full = self._describe(name, "histogram", meaning, labels).name
        return Histogram(full, meaning, labels, buckets=buckets, registry=self.registry)

    def _read_gauge(self, name: str, meaning: str, *labels: str) -> ReadGauge:
        gauge = ReadGauge(self._describe(name, "gauge", meaning, labels))
        self.registry.register(gauge)
        return gauge
