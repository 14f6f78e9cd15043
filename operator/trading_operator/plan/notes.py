"""What is worth saying about a component though it may be Ready: addresses, and what is amiss."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from trading_operator.api.reasons import (
    AUTOSCALER_FAILING,
    EXTERNAL_ADDRESS_PENDING,
    TLS_SECRET_NOT_FOUND,
)
from trading_operator.api.service import Service
from trading_operator.manifests import (
    disruption_budget,
    horizontal_pod_autoscaler,
    ingress,
    service,
)
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.readiness import pods_needed
from trading_operator.plan.types import ComponentPlan, Finding

# New pods have no metrics for a while: an autoscaler that complains so long has another reason.
AUTOSCALER_GRACE = timedelta(minutes=1)
_TLS_KEYS = frozenset({"tls.crt", "tls.key"})
_ASLEEP = "ScalingDisabled"  # at zero pods


def add_notes(
    system: System, draft: Draft, component: ComponentPlan, now: datetime
) -> ComponentPlan:
    """Add to a component's plan what the status should say of its live objects."""
    return replace(
        component,
        enough=pods_needed(system.observed, draft),
        notes=tuple(_notes(system, draft, now)),
    )


def notes_due(system: System, now: datetime) -> timedelta | None:
    """Return when an autoscaler that complains will have done so for too long."""
    autoscalers = (
        live
        for ref, live in system.observed.children.items()
        if ref.kind == horizontal_pod_autoscaler.KIND
    )
    complaints = (since for live in autoscalers for since, _ in _complaints(live))
    waits = (since + AUTOSCALER_GRACE - now for since in complaints)
    return min((wait for wait in waits if wait > timedelta()), default=None)


def _notes(system: System, draft: Draft, now: datetime) -> Iterator[Finding]:
    autoscaler = _live(system, Ref(horizontal_pod_autoscaler.KIND, draft.part.name))
    for since, message in _complaints(autoscaler):
        if now - since >= AUTOSCALER_GRACE:
            yield Finding(AUTOSCALER_FAILING, f"autoscaler: {message}")
    yield from _certificate(system, draft)
    yield from _balancer(system, draft)
    yield from _ingress(system, draft)
    yield from _drain(system, draft)


def _live(system: System, ref: Ref) -> Manifest:
    return system.observed.children.get(ref, {})


def _complaints(autoscaler: Manifest) -> Iterator[tuple[datetime, str]]:
    """Yield since when an autoscaler cannot do its work, and why."""
    for condition in autoscaler.get("status", {}).get("conditions") or ():
        unable = condition["type"] in ("AbleToScale", "ScalingActive")
        if unable and condition["status"] == "False" and condition.get("reason") != _ASLEEP:
            since = datetime.fromisoformat(condition["lastTransitionTime"])
            yield since, condition.get("message") or condition.get("reason", "")


def _certificate(system: System, draft: Draft) -> Iterator[Finding]:
    component = system.components[draft.name]
    if not isinstance(component, Service) or component.ingress is None:
        return
    name = component.ingress.tls_secret_name
    if name is None:
        return
    facts = system.observed.secrets.get(name)
    path = f"{draft.path}.ingress.tlsSecretName"
    mend = "create it, or see why the certificate manager does not"
    if facts is None:
        yield Finding(TLS_SECRET_NOT_FOUND, f"{path}: there is no Secret {name}; {mend}")
    elif not facts.keys >= _TLS_KEYS:
        missing = ", ".join(sorted(_TLS_KEYS - facts.keys))
        yield Finding(TLS_SECRET_NOT_FOUND, f"{path}: Secret {name} has no {missing}; {mend}")


def _balancer(system: System, draft: Draft) -> Iterator[Finding]:
    planned = draft.service
    if planned is None or planned["spec"]["type"] != service.LOAD_BALANCER:
        return
    name = ref_of(planned).name
    addresses = _addresses(_live(system, ref_of(planned)))
    if addresses:
        ports = ", ".join(str(port["port"]) for port in planned["spec"]["ports"])
        yield Finding("", f"reached from outside at {', '.join(addresses)}, port {ports}")
    else:
        yield Finding(
            EXTERNAL_ADDRESS_PENDING,
            f"Service {name} has no address from outside yet: the cluster's load balancer gives "
            "it one; where there is none, install one or use ingress",
        )


def _ingress(system: System, draft: Draft) -> Iterator[Finding]:
    planned = next((extra for extra in draft.extras if extra["kind"] == ingress.KIND), None)
    if planned is None:
        return
    name = ref_of(planned).name
    addresses = _addresses(_live(system, ref_of(planned)))
    if not addresses:
        yield Finding("", f"Ingress {name} has no address yet: its controller gives it one")
        return
    scheme = "https" if "tls" in planned["spec"] else "http"
    hosts = ", ".join(f"{scheme}://{rule['host']}" for rule in planned["spec"]["rules"])
    yield Finding("", f"reached from outside as {hosts} at {', '.join(addresses)}")


def _addresses(live: Manifest) -> list[str]:
    points: list[dict[str, Any]] = (
        live.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    )
    return [point.get("hostname") or point.get("ip", "") for point in points]


def _drain(system: System, draft: Draft) -> Iterator[Finding]:
    live = _live(system, Ref(disruption_budget.KIND, draft.part.name)).get("status", {})
    pods = live.get("expectedPods", 0)
    if 0 < pods <= live.get("desiredHealthy", 0):
        yield Finding("", f"a node drain stops here: disruptionBudget keeps all {pods} pods")
