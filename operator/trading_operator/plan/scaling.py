"""How many pods a service has: a number, or an autoscaler's; and how many a drain may take."""

from collections.abc import Iterator

from trading_operator.api.autoscaling import Autoscaling, ExternalMetric
from trading_operator.api.common import Quantity, parse_duration
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.scheduling import DisruptionBudget
from trading_operator.api.service import Service, WorkloadType
from trading_operator.manifests.disruption_budget import build_disruption_budget
from trading_operator.manifests.horizontal_pod_autoscaler import (
    ExternalTarget,
    Scaling,
    build_autoscaler,
)
from trading_operator.manifests.metadata import Manifest, Part
from trading_operator.manifests.quantity import canonical_quantity, parse_quantity
from trading_operator.plan.draft import System
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import DEPLOYMENT

_LONGEST_STABILIZATION_SECONDS = 3600
_DRAIN = ("maxUnavailable", "1")  # never more than one pod, and always one: no drain hangs


def most_pods(service: Service) -> int:
    """Return how many pods the service may have at most."""
    if service.workload is WorkloadType.SINGLE_WRITER:
        return min(service.replicas, 1)
    return service.replicas if service.autoscaling is None else service.autoscaling.max


def plan_replicas(system: System, part: Part, service: Service) -> int:
    """Return how many pods the service should have now: an autoscaler's number is left alone."""
    if service.autoscaling is None:
        return most_pods(service)
    live = system.observed.children.get(Ref(DEPLOYMENT, part.name), {})
    # At zero an autoscaler does nothing any more.
    return live.get("spec", {}).get("replicas") or service.autoscaling.min


def plan_autoscaler(part: Part, service: Service, path: str) -> Manifest | None:
    """Return the autoscaler of a service that asks for one; raises InvalidSpecError."""
    asked = service.autoscaling
    if asked is None:
        return None
    _refuse_another_number(service, path)
    _check_bounds(asked, f"{path}.autoscaling")
    for name in ("cpu", "memory"):
        if getattr(asked, name) is not None and not _has_request(service, name):
            raise InvalidSpecError(
                f"{path}.resources.requests.{name}",
                f"autoscaling.{name} is in percent of it, and it is not set",
                f"set it, or remove autoscaling.{name}",
            )
    scaling = Scaling(
        least=asked.min,
        most=asked.max,
        cpu=asked.cpu,
        memory=asked.memory,
        external=tuple(_external(asked, f"{path}.autoscaling.external")),
        down_seconds=_stabilization(asked, f"{path}.autoscaling.scaleDownStabilization"),
    )
    return build_autoscaler(part, scaling)


def _refuse_another_number(service: Service, path: str) -> None:
    if service.workload is WorkloadType.SINGLE_WRITER:
        raise InvalidSpecError(
            f"{path}.autoscaling", "a SingleWriter service has one pod", "remove autoscaling"
        )
    if "replicas" in service.model_fields_set:
        raise InvalidSpecError(
            f"{path}.replicas", "autoscaling decides how many pods there are", "remove replicas"
        )


def _check_bounds(asked: Autoscaling, path: str) -> None:
    if asked.max < asked.min:
        raise InvalidSpecError(
            f"{path}.max", f"{asked.max} is less than min, {asked.min}", "raise max or lower min"
        )
    if asked.cpu is None and asked.memory is None and not asked.external:
        raise InvalidSpecError(path, "there is no target", "set cpu, memory or external")


def _has_request(service: Service, name: str) -> bool:
    # A limit without a request is the request as well.
    parts = (service.resources.requests, service.resources.limits)
    amounts = (getattr(part, name) for part in parts if part is not None)
    return any(amount is not None and parse_quantity(amount) > 0 for amount in amounts)


def _external(asked: Autoscaling, path: str) -> Iterator[ExternalTarget]:
    for at, each in enumerate(asked.external):
        kind, amount = _target(each, f"{path}[{at}]")
        if parse_quantity(amount) == 0:
            raise InvalidSpecError(f"{path}[{at}]", "a target of 0 is never reached", "raise it")
        labels = {} if each.selector is None else dict(each.selector.match_labels)
        yield ExternalTarget(each.metric, labels, kind, canonical_quantity(amount))


def _target(external: ExternalMetric, path: str) -> tuple[str, Quantity]:
    if (external.average_value is None) == (external.value is None):
        raise InvalidSpecError(
            path, "it needs either averageValue or value", "give exactly one of them"
        )
    if external.average_value is not None:
        return "AverageValue", external.average_value
    return "Value", external.value or ""


def _stabilization(asked: Autoscaling, path: str) -> int | None:
    if asked.scale_down_stabilization is None:
        return None
    seconds = int(parse_duration(asked.scale_down_stabilization).total_seconds())
    if seconds > _LONGEST_STABILIZATION_SECONDS:
        raise InvalidSpecError(path, f"{asked.scale_down_stabilization} is too long", "at most 1h")
    return seconds


def plan_drain(part: Part, service: Service, same_node: bool, path: str) -> Manifest | None:
    """Return the disruption budget of a service; raises InvalidSpecError.

    Pods that one volume keeps on one node have none by default: the second could not go before
    the first is ready elsewhere, and that waits for the second.
    """
    if service.disruption_budget is not None:
        return plan_asked_drain(part, service.disruption_budget, path)
    if service.workload is WorkloadType.SINGLE_WRITER or most_pods(service) < 2 or same_node:
        return None
    return build_disruption_budget(part, *_DRAIN)


def plan_asked_drain(part: Part, asked: DisruptionBudget, path: str) -> Manifest:
    """Return the disruption budget that the spec asks for; raises InvalidSpecError."""
    bounds = {"minAvailable": asked.min_available, "maxUnavailable": asked.max_unavailable}
    given = [(bound, amount) for bound, amount in bounds.items() if amount is not None]
    if len(given) != 1:
        raise InvalidSpecError(
            f"{path}.disruptionBudget",
            "it needs either minAvailable or maxUnavailable",
            "give exactly one of them",
        )
    return build_disruption_budget(part, *given[0])
