"""Figures as texts for people and the operator, and as JSON that a database takes."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

NOT_A_NUMBER = "NaN"


def describe_number(value: float) -> str:
    """Return a figure as a decimal text; what is no number stays none."""
    return f"{value:.6f}" if isfinite(value) else NOT_A_NUMBER


def describe_metrics(metrics: Mapping[str, float]) -> dict[str, str]:
    """Return metrics as texts."""
    return {name: describe_number(value) for name, value in metrics.items()}


def build_json(value: Any) -> Any:
    """Return nested facts with a text for what is no number: JSON has none, nor has JSONB."""
    if isinstance(value, Mapping):
        return {name: build_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [build_json(each) for each in value]
    return NOT_A_NUMBER if isinstance(value, float) and not isfinite(value) else value
