"""Pod as the API server sends it -> the few facts that plans and statuses need."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trading_operator.api.reasons import NODE_UNREACHABLE
from trading_operator.kube.pod_faults import describe_exit, find_pod_fault, started_at
from trading_operator.manifests.metadata import (
    COMPONENT,
    JOB_ROLE,
    MODELS_ANNOTATION,
    REVISION_ANNOTATION,
    ROLE,
    TRADING_STATE_ANNOTATION,
)
from trading_operator.manifests.pod import CONTAINER_NAME
from trading_operator.plan.observed import JobPodFacts, PodFacts

MESSAGE_LENGTH = 512
_TEMPLATE_LABEL = "controller-revision-hash"  # set by the controller of StatefulSets
# A container in these states is merely on its way; everything else keeps it from being ready.
_ON_ITS_WAY = frozenset({"ContainerCreating", "PodInitializing", ""})

_Reason = tuple[str, str]


def read_pod_facts(pod: Mapping[str, Any]) -> PodFacts:
    """Build the facts of a pod."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    containers = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    main = status.get("containerStatuses") or ()
    condition = _condition(status, "Ready")
    ready = condition.get("status") == "True"
    reason, message = ("", "") if ready else _why_not_ready(status, containers)
    if _is_lost(status, main, ready):
        node = pod.get("spec", {}).get("nodeName", "")
        reason, message = NODE_UNREACHABLE, f"pod {metadata['name']}: node {node} does not answer"
    facts = PodFacts(
        name=metadata["name"],
        component=labels.get(COMPONENT, ""),
        revision=annotations.get(REVISION_ANNOTATION, ""),
        phase=status.get("phase", "Pending"),
        ready=ready,
        deleting="deletionTimestamp" in metadata,
        restarts=sum(container.get("restartCount", 0) for container in containers),
        reason=reason,
        message=message[:MESSAGE_LENGTH],
        started=bool(main) and all(container.get("started") for container in main),
        trading_state=annotations.get(TRADING_STATE_ANNOTATION, ""),
        models=annotations.get(MODELS_ANNOTATION, ""),
        template=labels.get(_TEMPLATE_LABEL, ""),
        controlled=_is_controlled(metadata),
        fault=find_pod_fault(status, main),
        ready_since=condition.get("lastTransitionTime") or "",
        created_at=metadata.get("creationTimestamp") or "",
        started_at=started_at(main),
        address=status.get("podIP", "") if status.get("phase") == "Running" else "",
    )
    return _read_job_pod(facts, pod, main) if labels.get(ROLE) == JOB_ROLE else facts


def _read_job_pod(
    facts: PodFacts, pod: Mapping[str, Any], main: Sequence[Mapping[str, Any]]
) -> JobPodFacts:
    metadata = pod["metadata"]
    program = next((each for each in main if each["name"] == CONTAINER_NAME), {})
    state = program.get("state") or {}
    ended = state.get("terminated") or {}
    return JobPodFacts(
        **vars(facts),
        job_uid=_controller_uid(metadata),
        said=ended.get("message") or "",
        scheduled=bool((pod.get("spec") or {}).get("nodeName")),
        program_began=(state.get("running") or ended).get("startedAt") or "",
        program_ended=ended.get("finishedAt") or "",
    )


def _is_lost(status: Mapping[str, Any], main: Sequence[Mapping[str, Any]], ready: bool) -> bool:
    """Tell whether the pod's node has fallen silent: nobody says what its containers do now.

    The cluster marks such a pod as not ready, and later deletes it, without a word of its kubelet,
    whose last report was that all is well.
    """
    if ready or not main or not all(container.get("ready") for container in main):
        return False
    return status.get("phase") == "Running"


def _is_controlled(metadata: Mapping[str, Any]) -> bool:
    return any(each.get("controller") for each in metadata.get("ownerReferences") or ())


def _controller_uid(metadata: Mapping[str, Any]) -> str:
    owners = metadata.get("ownerReferences") or ()
    return next((str(each["uid"]) for each in owners if each.get("controller")), "")


def _why_not_ready(status: Mapping[str, Any], containers: list[Mapping[str, Any]]) -> _Reason:
    candidates = (
        *_container_reasons(containers),
        _scheduling_reason(status),
        (status.get("reason", ""), status.get("message", "")),
        _unready_reason(status, containers),
    )
    return next((found for found in candidates if found[0]), ("", ""))


def _container_reasons(containers: list[Mapping[str, Any]]) -> Iterator[_Reason]:
    for container in containers:
        state = container.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason", "") not in _ON_ITS_WAY:
            yield waiting["reason"], _waiting_message(container, waiting)
        elif terminated and terminated.get("exitCode", 0) != 0:
            yield terminated.get("reason") or "Error", describe_exit(container, terminated)


def _waiting_message(container: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    # A crash loop's own message only counts seconds; what the program left behind says why.
    last = (container.get("lastState") or {}).get("terminated")
    if waiting["reason"] == "CrashLoopBackOff" and last:
        return describe_exit(container, last)
    return f"container {container['name']}: {waiting.get('message', '')}".rstrip(": ")


def _scheduling_reason(status: Mapping[str, Any]) -> _Reason:
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") != "False":
        return "", ""
    return scheduled.get("reason", "Unschedulable"), scheduled.get("message", "")


def _unready_reason(status: Mapping[str, Any], containers: list[Mapping[str, Any]]) -> _Reason:
    if status.get("phase") != "Running":
        return "", ""
    unready = [container["name"] for container in containers if _runs_unready(container)]
    if not unready:
        return "", ""
    return "NotReady", f"container {', '.join(unready)} runs, and its health check does not pass"


def _runs_unready(container: Mapping[str, Any]) -> bool:
    running = "running" in (container.get("state") or {})
    return running and not container.get("ready", False)


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = status.get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})
