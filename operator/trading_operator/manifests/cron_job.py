"""CronJobs: Jobs by the clock."""

from dataclasses import dataclass

from trading_operator.manifests.metadata import Manifest, Owner, build_metadata

KIND = "CronJob"


@dataclass(frozen=True)
class Timing:
    """When a CronJob makes a Job, and how many finished ones it keeps."""

    schedule: str
    time_zone: str
    starting_deadline_seconds: int
    successful: int
    failed: int
    suspended: bool


def build_cron_job(
    owner: Owner, name: str, labels: dict[str, str], timing: Timing, job: Manifest
) -> Manifest:
    """Build a CronJob; `job` is the spec of its Jobs, which carry its labels."""
    return {
        "apiVersion": "batch/v1",
        "kind": KIND,
        "metadata": build_metadata(owner, name, labels),
        "spec": {
            "schedule": timing.schedule,
            "timeZone": timing.time_zone,
            # Two that write at once would wait for each other.
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": timing.starting_deadline_seconds,
            "successfulJobsHistoryLimit": timing.successful,
            "failedJobsHistoryLimit": timing.failed,
            "suspend": timing.suspended,
            "jobTemplate": {"metadata": {"labels": labels}, "spec": job},
        },
    }


def suspend_cron_job(owner: Owner, live: Manifest) -> Manifest:
    """Return a live CronJob as it is, but suspended: nobody knows now what it should run."""
    metadata = live["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": KIND,
        "metadata": build_metadata(owner, metadata["name"], dict(metadata.get("labels") or {})),
        "spec": {**live["spec"], "suspend": True},
    }
