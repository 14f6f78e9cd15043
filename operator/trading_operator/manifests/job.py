"""Jobs: programs that end by themselves, with what makes trying them again useless or free."""

from dataclasses import dataclass

from trading_operator.manifests.metadata import Manifest, Owner, build_metadata
from trading_operator.manifests.pod import CONTAINER_NAME

KIND = "Job"
CONFIGURATION_EXIT = 42  # what a program says that no repetition would help


@dataclass(frozen=True)
class Limits:
    """How long a Job may take, how often it is tried, and for how long it is kept."""

    deadline_seconds: int | None  # None: whoever made it counts
    retries: int
    kept_seconds: int | None = None  # None: whoever made it keeps its history short


def build_job_spec(template: Manifest, limits: Limits) -> Manifest:
    """Build the spec of a Job; `template` has the labels and the spec of its pod."""
    spec: Manifest = {
        "backoffLimit": limits.retries,
        # A pod that is on its way out may still write: its successor waits.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": _build_failure_rules()},
        "template": {**template, "spec": {**template["spec"], "restartPolicy": "Never"}},
    }
    if limits.deadline_seconds is not None:
        spec["activeDeadlineSeconds"] = limits.deadline_seconds
    if limits.kept_seconds is not None:
        spec["ttlSecondsAfterFinished"] = limits.kept_seconds
    return spec


def build_job(owner: Owner, name: str, labels: dict[str, str], spec: Manifest) -> Manifest:
    """Build a Job that was asked for once."""
    return {
        "apiVersion": "batch/v1",
        "kind": KIND,
        "metadata": build_metadata(owner, name, labels),
        "spec": spec,
    }


def _build_failure_rules() -> list[Manifest]:
    permanent = {
        "containerName": CONTAINER_NAME,
        "operator": "In",
        "values": [CONFIGURATION_EXIT],
    }
    return [
        {"action": "FailJob", "onExitCodes": permanent},
        # A drain or an eviction is no failure of the program.
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
    ]
