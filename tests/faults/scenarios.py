"""What the operator is asked to do, and how it is known that it has done it."""

import copy
from collections.abc import Mapping
from typing import Any

from faults.points import Scenario
from integration.systems import build_datastore, build_service, build_system

NAME = "small"
SINGLE = frozenset({"db", "strategy"})  # components of which two pods must never run
FEED, STRATEGY = 0, 1
Spec = dict[str, Any]
System = Mapping[str, Any]


def build_spec() -> Spec:
    """Build a database, a feed that needs it, and a strategy that needs both."""
    mounts = [{"name": "market", "mountPath": "/app/config"}]
    spec: Spec = build_system(
        NAME,
        [
            build_service("feed", "db", configs=mounts),
            build_service("strategy", "feed", "db", workload="SingleWriter"),
        ],
        [{**build_datastore("db"), "parameters": {"max_connections": "50"}}],
        configs=[{"name": "market", "files": {"market.json": "{}"}}],
        rollout={"bakeTime": "1s", "progressDeadline": "30s"},
    )["spec"]
    return copy.deepcopy(spec)


def build_change(tag: str = "2") -> Spec:
    """Build a change of everything: the database's parameters, a config, and both images.

    `tag` is that of the strategy, which comes last.
    """
    spec = build_spec()
    spec["datastores"][0]["parameters"]["max_connections"] = "60"
    spec["configs"][0]["files"]["market.json"] = '{"market": "two"}'
    for service, its in ((FEED, "2"), (STRATEGY, tag)):
        image = spec["services"][service]["image"].rpartition(":")[0]
        spec["services"][service]["image"] = f"{image}:{its}"
    return spec


def build_failing_change() -> Spec:
    """Build a change whose last component crashes, so that all of it goes back."""
    return build_change("pretend-crash")


CHANGES = {Scenario.CHANGE: build_change, Scenario.ROLLBACK: build_failing_change}


def has_ended(scenario: Scenario, system: System | None) -> bool:
    """Tell whether a system says that a scenario is over."""
    if scenario is Scenario.DELETE or system is None:
        return scenario is Scenario.DELETE and system is None
    phase = system.get("status", {}).get("rollout", {}).get("phase")
    if scenario is Scenario.ROLLBACK:
        return phase == "RolledBack" and _is_true(system, "Stalled", "RolledBack")
    return phase == "Proven" and _is_true(system, "Ready")


def _is_true(system: System, kind: str, reason: str = "") -> bool:
    generation = system["metadata"]["generation"]
    return any(
        each["type"] == kind
        and each["status"] == "True"
        and each.get("observedGeneration") == generation
        and reason in ("", each["reason"])
        for each in system["status"].get("conditions") or ()
    )
