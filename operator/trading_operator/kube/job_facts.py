"""Job as the API server sends it, and what its pods say -> the few facts that plans need."""

from collections.abc import Iterable, Mapping
from typing import Any

from trading_operator.manifests.metadata import REQUEST, RUN
from trading_operator.plan.backup.case import JobFacts
from trading_operator.plan.observed import JobPodFacts, PodFacts
from trading_operator.plan.stored_revision import mounted_config_maps

OUTCOMES = {"Complete": "Succeeded", "Failed": "Failed"}


def read_job_facts(job: Mapping[str, Any], pods: Iterable[PodFacts]) -> JobFacts:
    """Build the facts of a Job; `pods` are all pods of its owner."""
    metadata, status = job["metadata"], job.get("status") or {}
    labels = metadata.get("labels") or {}
    ended = find_end(status)
    own = sorted(
        (each for each in pods if isinstance(each, JobPodFacts) and is_pod_of(each, metadata)),
        key=lambda each: each.created_at,
    )
    return JobFacts(
        name=metadata["name"],
        run=labels.get(RUN, ""),
        request=labels.get(REQUEST, ""),
        created_at=metadata.get("creationTimestamp", ""),
        started_at=status.get("startTime") or "",
        ended_at=status.get("completionTime") or ended.get("lastTransitionTime") or "",
        outcome=OUTCOMES.get(ended.get("type", ""), "Running"),
        reason=ended.get("reason") or "",
        message=ended.get("message") or "",
        words=next((each.said for each in reversed(own) if each.said), ""),
        waits=_waits(own),
        address=own[-1].address if own else "",
        config_maps=tuple(mounted_config_maps(job["spec"]["template"])),
    )


def is_pod_of(pod: JobPodFacts, metadata: Mapping[str, Any]) -> bool:
    """Tell whether a Job has made a pod."""
    return pod.job_uid == str(metadata["uid"])


def find_end(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the condition with which a Job ended, empty while it has not."""
    conditions = status.get("conditions") or ()
    over = (each for each in conditions if each["type"] in OUTCOMES and each["status"] == "True")
    return next(over, {})


def _waits(pods: list[JobPodFacts]) -> str:
    """Return why the newest pod does not run, should it not."""
    newest = pods[-1] if pods else None
    if newest is None or newest.phase != "Pending" or not newest.reason:
        return ""
    return f"{newest.reason}: {newest.message}".rstrip(": ")
