"""The Jobs of a run: what the newest one does, and why one is stopped."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_operator.api.common import parse_duration
from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.model_training_parts import Device
from trading_operator.api.model_training_status import (
    MAX_LAUNCHES,
    Launch,
    LaunchOutcome,
    TrainingRun,
)
from trading_operator.plan.moments import read_moment
from trading_operator.plan.rollout.clock import soonest
from trading_operator.plan.training.case import TrainingCase, TrainingJobFacts

CPU = Device(name="cpu")
_WAIT = timedelta(minutes=10)
STOPPED = frozenset(
    {
        LaunchOutcome.DEVICE_UNAVAILABLE,
        LaunchOutcome.SUSPENDED,
        LaunchOutcome.SUPERSEDED,
        LaunchOutcome.DEADLINE_EXCEEDED,
    }
)


@dataclass(frozen=True)
class Stop:
    """Why the Job of a launch is stopped, or when it has to be looked at again."""

    outcome: LaunchOutcome | None = None
    message: str = ""
    look_again: timedelta | None = None


def devices_of(spec: ModelTrainingJobSpec) -> list[Device]:
    """Return the devices in the order in which they are tried."""
    return list(spec.devices) or [CPU]


def next_device(spec: ModelTrainingJobSpec, launches: list[Launch]) -> Device:
    """Return the device of the next Job: the one after a device that was not to be had."""
    devices = devices_of(spec)
    if not launches:
        return devices[0]
    last = launches[-1]
    names = [each.name for each in devices]
    if last.device not in names:
        return devices[0]
    at = names.index(last.device)
    if last.outcome is LaunchOutcome.DEVICE_UNAVAILABLE:
        at = min(at + 1, len(devices) - 1)
    return devices[at]


def device_of(spec: ModelTrainingJobSpec, name: str) -> Device:
    """Return a device by its name; one that left the spec has no more than that."""
    return next((each for each in devices_of(spec) if each.name == name), Device(name=name))


def ran_for(job: TrainingJobFacts, now: datetime) -> timedelta:
    """Return how long the programs of a Job have run."""
    began = read_moment(job.began_at)
    if began is None:
        return timedelta()
    ended = read_moment(job.stopped_at) or now
    return max(ended - began - timedelta(seconds=job.idle_seconds), timedelta())


def find_stop(
    case: TrainingCase, run: TrainingRun, job: TrainingJobFacts, resting: str, now: datetime
) -> Stop:
    """Return why a Job that is not over has to be stopped; `resting` says why nothing may run."""
    if resting:
        return Stop(LaunchOutcome.SUSPENDED, resting)
    left = time_left(case.spec, run) - ran_for(job, now)
    if left <= timedelta():
        message = f"its programs ran longer than spec.deadline ({case.spec.deadline})"
        return Stop(LaunchOutcome.DEADLINE_EXCEEDED, message)
    waits = _device_wait(case.spec, job, now)
    if waits is not None and waits <= timedelta():
        message = f"no node had {job.device} in time: {job.waits_message}".rstrip(": ")
        return Stop(LaunchOutcome.DEVICE_UNAVAILABLE, message)
    running = left if job.began_at and not job.stopped_at else None
    return Stop(look_again=soonest(running, waits))


def time_left(spec: ModelTrainingJobSpec, run: TrainingRun) -> timedelta:
    """Return how long the next Job of a run may run."""
    return parse_duration(spec.deadline) - timedelta(seconds=run.ran_seconds)


def add_launch(launches: list[Launch], launch: Launch) -> list[Launch]:
    """Return the newest launches with one more, or with what became of the newest one."""
    kept = [each for each in launches if each.number != launch.number]
    return [*kept, launch][-MAX_LAUNCHES:]


def _device_wait(
    spec: ModelTrainingJobSpec, job: TrainingJobFacts, now: datetime
) -> timedelta | None:
    """Return for how long a Job may wait for its device yet; None: as long as it takes."""
    # What ran once found its device: it is waited for, or its work would move.
    if job.scheduled or job.began_at or job.suspended:
        return None
    devices = devices_of(spec)
    names = [each.name for each in devices]
    if job.device not in names:
        return None
    at = names.index(job.device)
    asked = devices[at].wait_for
    if at == len(devices) - 1:
        return None
    limit = _WAIT if asked is None else parse_duration(asked)
    created = read_moment(job.created_at) or now
    return created + limit - now
