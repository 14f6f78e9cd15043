"""Amounts as Kubernetes writes them: parsed, compared, and in canonical form."""

import re
from decimal import Decimal

from trading_operator.api.common import ResourceAmounts, Resources
from trading_operator.manifests.metadata import Manifest

_FORM = re.compile(r"^([0-9]{1,25}(?:\.[0-9]{1,9})?)([a-zA-Z]*)$")
_LARGEST = Decimal(10) ** 25  # beyond it the arithmetic is not exact
_BINARY = {
    suffix: Decimal(1024**power) for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), 1)
}
_DECIMAL = {"m": Decimal("0.001"), "": Decimal(1)} | {
    suffix: Decimal(1000**power) for power, suffix in enumerate("kMGTP", 1)
}
_FACTORS = _BINARY | _DECIMAL


def parse_quantity(text: str | int) -> Decimal:
    """Return the amount as a number; raises ValueError when `text` is no quantity."""
    match = _FORM.match(str(text))
    if match is None or match[2] not in _FACTORS:
        raise ValueError(f"{text!r} is no quantity")
    value = Decimal(match[1]) * _FACTORS[match[2]]
    if value >= _LARGEST:
        raise ValueError(f"{text!r} is no quantity that can be counted")
    return value


def canonical_quantity(text: str | int) -> str:
    """Return the form that the API server stores: no fraction, the largest suffix."""
    value = parse_quantity(text)
    binary = str(text).endswith("i") and value >= Decimal(1024)
    factors = (_BINARY | {"": Decimal(1)}) if binary else _DECIMAL
    if value == 0:
        return "0"
    fitting = [(factor, suffix) for suffix, factor in factors.items() if value % factor == 0]
    factor, suffix = max(fitting, default=(_DECIMAL["m"], "m"))
    return f"{int(value / factor)}{suffix}"


def _build_amounts(amounts: ResourceAmounts | None) -> dict[str, str]:
    if amounts is None:
        return {}
    named = {
        "cpu": amounts.cpu,
        "memory": amounts.memory,
        "ephemeral-storage": amounts.ephemeral_storage,
    }
    return {name: canonical_quantity(text) for name, text in named.items() if text is not None}


def build_resources(resources: Resources, devices: dict[str, int] | None = None) -> Manifest:
    """Build a container's resources; `devices` are extended resources by name."""
    extended = {name: str(count) for name, count in (devices or {}).items()}
    parts = {
        "requests": _build_amounts(resources.requests),
        "limits": _build_amounts(resources.limits) | extended,
    }
    return {name: amounts for name, amounts in parts.items() if amounts}
