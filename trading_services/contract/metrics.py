"""The metrics that every service has, in a registry of its own process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector


class LoopMetrics:
    """Turns of the worker loop, and what the last readiness answer was."""

    def __init__(self, registry: CollectorRegistry, component: str) -> None:
        """Register the collectors, all with the component's name as a label."""
        self.registry = registry
        ProcessCollector(registry=registry)
        labels = ["component"]
        self.turns = Counter(
            "trading_loop_turns", "Turns of the worker loop.", labels, registry=registry
        ).labels(component)
        self.failures = Counter(
            "trading_loop_failures", "Turns that ended in an error.", labels, registry=registry
        ).labels(component)
        self.turn_seconds = Histogram(
            "trading_loop_turn_seconds", "Time of one turn.", labels, registry=registry
        ).labels(component)
        self.ready = Gauge(
            "trading_service_ready",
            "1 when the last probe found it ready.",
            labels,
            registry=registry,
        ).labels(component)
        self.paused = Gauge(
            "trading_service_paused",
            "1 while the system controller wants it paused.",
            labels,
            registry=registry,
        ).labels(component)
