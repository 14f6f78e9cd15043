"""Why a component's pods are not ready, in words that name the mend."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trading_operator.api.reasons import (
    CONTAINER_FAILED,
    IMAGE_PULL_FAILED,
    NODE_UNREACHABLE,
    PODS_REFUSED,
    PODS_STARTING,
)
from trading_operator.plan.observed import PodFacts
from trading_operator.plan.types import STATEFUL_SET, Manifest

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_EXIT = frozenset({"CrashLoopBackOff", "Error", "ContainerCannotRun", "StartError"})
# It repeats the error with a varying wait: the first wording stays.
_BACK_OFF = "ImagePullBackOff"


class Why(NamedTuple):
    """A reason for programs and a message for people."""

    reason: str
    message: str


def why_not_ready(
    pods: Sequence[PodFacts], workload: Manifest | None, previous: Mapping[str, Any]
) -> Why:
    """Return why not all pods are ready. `previous` is the component's former status line."""
    found = [_why(pod, workload, previous) for pod in pods if not pod.ready and not pod.deleting]
    telling = [why for why in found if why.reason != PODS_STARTING]
    lost = [_lost(pod) for pod in pods if pod.deleting and pod.reason == NODE_UNREACHABLE]
    return next(iter((*telling, *found, *lost)), None) or _without_pods(workload)


def _lost(pod: PodFacts) -> Why:
    message = (
        f"{pod.message}, and the pod may still run there: nothing is forced, two could trade; see "
        "that the node is off, then delete the Node or taint it with "
        "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    )
    return Why(NODE_UNREACHABLE, message)


def _why(pod: PodFacts, workload: Manifest | None, previous: Mapping[str, Any]) -> Why:
    if pod.reason in _PULL:
        if pod.reason == _BACK_OFF and previous.get("reason") == IMAGE_PULL_FAILED:
            return Why(IMAGE_PULL_FAILED, previous["message"])
        message = f"image {_image(workload)} cannot be pulled: {pod.message or pod.reason}"
        return Why(IMAGE_PULL_FAILED, message)
    if pod.reason in _EXIT:
        return Why(CONTAINER_FAILED, pod.message or pod.reason)
    if pod.reason:
        return Why(pod.reason, pod.message or f"pod {pod.name}: {pod.reason}")
    return Why(PODS_STARTING, "waits for its pods to be ready")


def _image(workload: Manifest | None) -> str:
    if workload is None:
        return "of the pod"
    return str(workload["spec"]["template"]["spec"]["containers"][0]["image"])


def _without_pods(workload: Manifest | None) -> Why:
    conditions = (workload or {}).get("status", {}).get("conditions") or ()
    for condition in conditions:
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return Why(PODS_REFUSED, f"its pods cannot be made: {condition.get('message', '')}")
    if workload is not None and _makes_none(workload):
        name = workload["metadata"]["name"]
        told = f"kubectl describe statefulset {name} says why"
        return Why(PODS_REFUSED, f"its pods cannot be made: {told}")
    return Why(PODS_STARTING, "waits for its pods to be made")


def _makes_none(workload: Manifest) -> bool:
    """Tell whether a StatefulSet's controller tried to make pods and could not.

    It counts what it has made when it writes its status, and it has no condition for a refusal.
    """
    status = workload.get("status", {})
    return bool(
        workload["kind"] == STATEFUL_SET
        and workload["spec"].get("replicas", 1)
        and status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 1)
        and not status.get("replicas", 0)
    )
