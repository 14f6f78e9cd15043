"""Why a training's pod does not run, and what mends it."""

from datetime import datetime, timedelta

from trading_operator.api import reasons
from trading_operator.api.model_training_parts import Device
from trading_operator.manifests.quantity import parse_quantity
from trading_operator.plan.moments import read_moment
from trading_operator.plan.observed import Capacity, Quota
from trading_operator.plan.training.case import TrainingCase, TrainingJobFacts
from trading_operator.plan.training.launches import device_of
from trading_operator.plan.types import Block

# A Job has its pod at once, unless something keeps the API server from taking it.
_AT_ONCE = timedelta(seconds=5)
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_VOLUME = ("persistentvolumeclaim", "volume node affinity", "volume")
_LOOK_AGAIN = timedelta(seconds=15)


def wants_capacity(case: TrainingCase, now: datetime) -> bool:
    """Tell whether the answer is with nodes and quotas."""
    job = next((each for each in case.jobs if not each.is_over and not each.deleting), None)
    if job is None or job.began_at or job.suspended:
        return False
    return not job.scheduled and (bool(job.waits_reason) or _is_late(job, now))


def find_wait(case: TrainingCase, job: TrainingJobFacts, now: datetime) -> Block | None:
    """Return why the newest pod of a Job does not run; None while it does, or just begins."""
    if job.address or (job.began_at and not job.stopped_at):
        return None
    if job.suspended:
        return _suspended(case, job)
    return _of_pod(case, job) if job.pods else _without_pod(case, job, now)


def _suspended(case: TrainingCase, job: TrainingJobFacts) -> Block:
    queue = case.spec.queue_name
    if queue is not None:
        see = f"kubectl describe localqueue {queue}"
        message = f"Kueue has not admitted the Job yet; see `{see}`"
        return Block(reasons.WAITING_FOR_QUEUE, message, _LOOK_AGAIN)
    message = f"somebody suspended the Job {job.name}; set its spec.suspend to false"
    return Block(reasons.SUSPENDED, message, _LOOK_AGAIN)


def _of_pod(case: TrainingCase, job: TrainingJobFacts) -> Block:
    told = f"{job.waits_reason}: {job.waits_message}".rstrip(": ")
    if any(each in told for each in _IMAGE):
        message = f"{told}; mend spec.image, or the system's imagePullSecrets"
        return Block(reasons.IMAGE_PULL_FAILED, message, _LOOK_AGAIN)
    if not job.scheduled and job.waits_reason:
        return _unscheduled(case, job, told)
    return Block(reasons.PODS_STARTING, told or "its pod starts", _LOOK_AGAIN)


def _without_pod(case: TrainingCase, job: TrainingJobFacts, now: datetime) -> Block:
    if not _is_late(job, now):
        return Block(reasons.PODS_STARTING, "its pod is being made", _AT_ONCE)
    quotas = () if case.capacity is None else case.capacity.quotas
    full = [told for quota in quotas for told in _exhausted(quota)]
    if full:
        message = f"{'; '.join(full)}; raise the quota, or lower spec.resources"
        return Block(reasons.QUOTA_EXCEEDED, message, _LOOK_AGAIN)
    message = f"the Job has no pod; `kubectl describe job {job.name}` says why"
    return Block(reasons.POD_NOT_CREATED, message, _LOOK_AGAIN)


def _unscheduled(case: TrainingCase, job: TrainingJobFacts, told: str) -> Block:
    device = device_of(case.spec, job.device)
    lacks = _lacks_device(case.capacity, device)
    if lacks is not None:
        return Block(lacks[0], f"{lacks[1]} ({told})", _LOOK_AGAIN)
    lower = told.lower()
    if any(each in lower for each in _VOLUME):
        message = f"{told}; see the volume {case.spec.volume} of the system"
        return Block(reasons.VOLUME_NOT_BOUND, message, _LOOK_AGAIN)
    message = f"{told}; add a node, or lower spec.resources"
    return Block(reasons.NO_NODE_FITS, message, _LOOK_AGAIN)


def _lacks_device(capacity: Capacity | None, device: Device) -> tuple[str, str] | None:
    if device.resource is None or capacity is None or capacity.nodes is None:
        return None
    most = max((_amount(node.get(device.resource)) for node in capacity.nodes), default=0)
    wanted = f"{device.count} {device.resource}"
    if most < device.count:
        there = f"none has more than {most}" if most else "no node has any"
        mend = "add such a node, install its device plugin, or list another device"
        return reasons.NO_MATCHING_DEVICE, f"no node offers {wanted} ({there}); {mend}"
    message = f"all {device.resource} that are there are taken, or their nodes do not fit; it waits"
    return reasons.DEVICE_BUSY, message


def _amount(text: str | None) -> int:
    try:
        return int(parse_quantity(text or "0"))
    except ValueError:
        return 0


def _exhausted(quota: Quota) -> list[str]:
    found = []
    for name, hard in sorted(quota.hard.items()):
        try:
            used, most = parse_quantity(quota.used.get(name, "0")), parse_quantity(hard)
        except ValueError:
            continue
        if used >= most:
            found.append(f"ResourceQuota {quota.name} allows {name} {hard}, and all is used")
    return found


def _is_late(job: TrainingJobFacts, now: datetime) -> bool:
    created = read_moment(job.created_at)
    return created is not None and now - created >= _AT_ONCE
