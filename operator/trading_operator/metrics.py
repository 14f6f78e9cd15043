"""The operator's Prometheus metrics, in a registry of their own."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All metrics of one operator process."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.reconciles = Counter(
            "trading_operator_reconcile",
            "Passes over a system by result.",
            ["result"],
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "trading_operator_reconcile_duration_seconds",
            "Time that a pass took.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.queue_depth = Gauge(
            "trading_operator_queue_depth", "Systems that wait for a pass.", registry=registry
        )
        self.queue_oldest = Gauge(
            "trading_operator_queue_oldest_seconds",
            "How long the first of them has waited.",
            registry=registry,
        )
        self.api_requests = Counter(
            "trading_operator_api_requests",
            "Requests to the API server; code 0 means no answer.",
            ["verb", "resource", "code"],
            registry=registry,
        )
        self.watch_restarts = Counter(
            "trading_operator_watch_restarts",
            "Watches that ended in an error and were started again.",
            ["resource"],
            registry=registry,
        )
        self.leader = Gauge(
            "trading_operator_leader", "1 while this replica leads, else 0.", registry=registry
        )
        self.systems = Gauge(
            "trading_operator_systems", "Trading systems that are known.", registry=registry
        )
        self.events_dropped = Counter(
            "trading_operator_events_dropped",
            "Events that were not posted: refused, or too many at once.",
            registry=registry,
        )
