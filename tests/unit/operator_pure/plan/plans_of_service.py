"""A system of one service, planned."""

from typing import Any

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.plan.types import Manifest, Plan
from unit.operator_pure.systems import make_spec, objects_of, plan_for, service


def plan_service(shared: tuple[dict[str, Any], ...] = (), **fields: Any) -> Plan:
    """The plan of a service with such fields, and of volumes that are shared."""
    return plan_for(make_spec(volumes=shared, services=[service("app", **fields)]))


def the_only(plan: Plan, kind: str) -> Manifest:
    """The only object of a kind."""
    (manifest,) = objects_of(plan, kind).values()
    return manifest


def refused(shared: tuple[dict[str, Any], ...] = (), **fields: Any) -> InvalidSpecError:
    """Why such a service is refused."""
    with pytest.raises(InvalidSpecError) as caught:
        plan_service(shared, **fields)
    return caught.value
