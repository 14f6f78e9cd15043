"""Job as the API server sends it, and what its pods do -> what a training's plan needs."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from trading_operator.kube.job_facts import OUTCOMES, find_end, is_pod_of
from trading_operator.manifests.metadata import (
    CHAMPION_ANNOTATION,
    DEVICE_LABEL,
    LAUNCH_LABEL,
    RECIPE_LABEL,
    RUN,
    SCHEDULED_ANNOTATION,
)
from trading_operator.plan.moments import read_moment
from trading_operator.plan.observed import JobPodFacts, PodFacts
from trading_operator.plan.training.case import TrainingJobFacts

_OVER = frozenset({"Succeeded", "Failed"})


def read_training_job(job: Mapping[str, Any], pods: Iterable[PodFacts]) -> TrainingJobFacts:
    """Build the facts of a Job; `pods` are all pods of its owner."""
    metadata, status = job["metadata"], job.get("status") or {}
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    own = sorted(
        (each for each in pods if isinstance(each, JobPodFacts) and is_pod_of(each, metadata)),
        key=lambda each: (each.created_at, each.name),
    )
    ended, newest = find_end(status), own[-1] if own else None
    return TrainingJobFacts(
        name=metadata["name"],
        uid=str(metadata["uid"]),
        run=_number(labels.get(RUN)),
        launch=_number(labels.get(LAUNCH_LABEL)),
        recipe=labels.get(RECIPE_LABEL, ""),
        device=labels.get(DEVICE_LABEL, ""),
        champion=notes.get(CHAMPION_ANNOTATION, ""),
        scheduled_for=notes.get(SCHEDULED_ANNOTATION, ""),
        created_at=metadata.get("creationTimestamp", ""),
        ended_at=status.get("completionTime") or ended.get("lastTransitionTime") or "",
        outcome=OUTCOMES.get(ended.get("type", ""), "Running"),
        reason=ended.get("reason") or "",
        message=ended.get("message") or "",
        words=next((each.said for each in reversed(own) if each.said), ""),
        deleting="deletionTimestamp" in metadata,
        suspended=bool(job["spec"].get("suspend")),
        pods=len(own),
        began_at=min((each.program_began for each in own if each.program_began), default=""),
        stopped_at=_stopped(own),
        idle_seconds=_count_idle(own),
        address=newest.address if newest is not None else "",
        scheduled=newest is not None and newest.scheduled,
        waits_reason=newest.reason if newest is not None and newest.phase == "Pending" else "",
        waits_message=newest.message if newest is not None and newest.phase == "Pending" else "",
    )


def has_lingering_pods(jobs: Iterable[Mapping[str, Any]], pods: Iterable[PodFacts]) -> bool:
    """Tell whether a pod may still write whose Job is gone."""
    known = {str(job["metadata"]["uid"]) for job in jobs}
    return any(
        isinstance(pod, JobPodFacts) and pod.job_uid not in known and pod.phase not in _OVER
        for pod in pods
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _stopped(pods: list[JobPodFacts]) -> str:
    """Return when the last program ended; "" while one runs or none has."""
    began = [each for each in pods if each.program_began]
    if any(not each.program_ended for each in began):
        return ""
    return max((each.program_ended for each in began), default="")


def _count_idle(pods: list[JobPodFacts]) -> int:
    """Return the seconds between the programs: a node or a device may have been waited for."""
    spans = sorted((each.program_began, each.program_ended) for each in pods if each.program_began)
    idle = 0.0
    for (_, ended), (began, _) in pairwise(spans):
        last, first = read_moment(ended), read_moment(began)
        if last is not None and first is not None:
            idle += max((first - last).total_seconds(), 0.0)
    return round(idle)
