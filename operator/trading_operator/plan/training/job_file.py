"""The file that tells the training program what to do; Secrets are named, never told."""

from typing import Any

import orjson

from trading_operator.api.common import parse_duration
from trading_operator.api.model_training_parts import Device
from trading_operator.api.model_training_status import SelectedModel
from trading_operator.plan.training.case import TrainingCase, traded_now
from trading_operator.plan.training.surroundings import Surroundings

JOB_FOLDER = "/etc/trading-training"
JOB_FILE = "job.json"
MODELS_FOLDER = "/app/models"
CONFIG_FOLDER = "/app/config"


def build_job_file(
    case: TrainingCase, around: Surroundings, run: int, device: Device, image: str
) -> dict[str, str]:
    """Build the file of one launch, by its name."""
    spec = case.spec
    content: dict[str, Any] = {
        "job": case.owner.name,
        "uid": case.owner.uid,
        "run": run,
        "namespace": case.owner.namespace,
        "system": spec.system,
        "model": spec.model.model_dump(by_alias=True),
        "trainer": spec.trainer.value,
        "database": _describe_database(around),
        "dataset": spec.dataset.model_dump(mode="json", by_alias=True, exclude={"source"}),
        "features": list(spec.features),
        "horizonBars": spec.horizon_bars,
        "hyperparameters": dict(spec.hyperparameters),
        "seed": spec.seed,
        "validation": spec.validation.model_dump(mode="json", by_alias=True),
        "assumptions": spec.assumptions.model_dump(mode="json", by_alias=True),
        "leakageChecks": [each.value for each in spec.leakage_checks],
        "champion": _describe_champion(traded_now(case)),
        "modelsFolder": MODELS_FOLDER,
        "checkpoints": {
            "folder": f"{MODELS_FOLDER}/.checkpoints/{case.owner.uid}/{run}",
            "everySeconds": max(1, int(parse_duration(spec.checkpoints.every).total_seconds())),
            "keep": spec.checkpoints.keep,
        },
        "retention": {"keepVersions": spec.retention.keep_versions, "keep": _in_use(case)},
        "device": {"name": device.name, "resource": device.resource, "count": device.count},
        "image": image,
    }
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
    return {JOB_FILE: text + "\n"}


def _describe_database(around: Surroundings) -> dict[str, Any]:
    return {
        "host": around.endpoint.host,
        "port": around.endpoint.port,
        "name": around.store.database,
        "user": around.store.username,
        "passwordFile": around.password.mounted_at,
    }


def _describe_champion(champion: SelectedModel | None) -> dict[str, Any] | None:
    if champion is None:
        return None
    return {
        "id": champion.id,
        "digest": champion.digest,
        "file": champion.file,
        "format": champion.format,
        "trainedUntil": champion.trained_until,
    }


def _in_use(case: TrainingCase) -> list[str]:
    """Return the versions whose files must stay: that are traded, or may be gone back to."""
    before = case.before
    selected = [each.id for each in (traded_now(case), *before.previous) if each is not None]
    promoting = [] if before.promotion is None else [before.promotion.version]
    return sorted({*selected, *promoting})
