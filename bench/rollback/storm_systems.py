"""The systems on fake nodes, and what the audit log says of their failures. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bench.audit import Request
from bench.rollback.arithmetic import find_first_after
from bench.rollback.records import Sample
from bench.workload import systems_path

Object = dict[str, Any]
COMPONENTS = ("web", "feed")
OTHER, VICTIM = "other", "victim"
BAKE_SECONDS = 1


class Target(NamedTuple):
    """One system that is changed."""

    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Return its path in the API."""
        return systems_path(self.namespace, self.name)


def name_targets(kind: str, count: int, namespaces: int) -> list[Target]:
    """Name so many systems, spread over the bench's namespaces."""
    return [Target(f"bench-{index % namespaces}", f"{kind}-{index:04d}") for index in range(count)]


def good_image(number: int) -> str:
    """Return an image that the fake kubelet runs; each number is another version."""
    return f"registry.example/program:{number}"


def bad_image(number: int) -> str:
    """Return an image that crashes on a fake node."""
    return f"registry.example/program-{number}:pretend-crash"


def build_spec(image: str) -> Object:
    """Build the spec of a system all of whose programs are of one image."""
    return {
        "network": {"isolation": "Off"},
        "rollout": {"bakeTime": f"{BAKE_SECONDS}s"},
        "services": [
            {
                "name": component,
                "image": image,
                "ports": [{"name": "http", "port": 8000}],
                "health": {"path": "/health"},
            }
            for component in COMPONENTS
        ],
    }


def build_target(target: Target, image: str) -> Object:
    """Build the resource of a system."""
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "TradingSystem",
        "metadata": {"name": target.name, "namespace": target.namespace},
        "spec": build_spec(image),
    }


def find_sample(
    target: Target, changed: float, kubelet: Iterable[Request], operator: Sequence[Request]
) -> Sample | None:
    """Return the first failure of a system after it was changed badly, and what followed."""
    told = [
        each
        for each in kubelet
        if (each.resource, each.subresource) == ("pods", "status")
        and each.namespace == target.namespace
        and each.name.startswith(f"{target.name}-")
        and each.code < 300
        and each.received > changed
    ]
    if not told:
        return None
    # Nothing else is said of its pods: those that it had stay as they are.
    failed = min(told, key=lambda each: each.received)
    rollback = find_first_after(operator, "deployments", f"{target.name}-", failed.received)
    if rollback is None:
        return None
    verdict = find_first_after(operator, "controllerrevisions", f"{target.name}-", failed.received)
    return Sample(failed.done, None if verdict is None else verdict.done, rollback.done)


def find_wave(started: float, operator: Iterable[Request]) -> tuple[float, float]:
    """Return when the others began to change and when the operator last wrote about one."""
    written = (
        each.done
        for each in operator
        if each.writes and each.name.startswith(f"{OTHER}-") and each.received > started
    )
    return started, max(written, default=started)
