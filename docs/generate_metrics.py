"""Builds the page of the operator's metrics from its registry; generate_reference.py writes it."""

from collections.abc import Sequence

from trading_operator.metrics import Described, Metrics

INTRODUCTION = """# Metrics

Every replica serves these on port 8080 under `/metrics`, and those of its process
(`process_*`, `python_info`) as every Python program has them. The chart makes a ServiceMonitor, a
PodMonitor, alerts and a Grafana dashboard when asked to: see
[its README](../helm/trading-operator/README.md#monitoring).

The standby counts its own requests and watches. What is told of trading systems and of the queue
comes from the leader alone. Reasons and condition types are explained in
[troubleshooting](troubleshooting.md).
"""


def build_page(described: Sequence[Described]) -> str:
    """Build the Markdown page: one row for each metric, by name."""
    rows = [_build_row(each) for each in sorted(described, key=lambda each: each.name)]
    table = ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|", *rows]
    return "\n".join([INTRODUCTION, *table, ""])


def build_metrics_page() -> str:
    """Build the page of the metrics that an operator process has."""
    return build_page(Metrics().described)


def _build_row(metric: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |"
