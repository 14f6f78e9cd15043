"""Champion and challenger on the same bars, which neither has seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trading_services.database.connection import Database
from trading_services.model_training.model_files import build_file_digest
from trading_services.model_training.registry import (
    RegisteredModel,
    RegistryRowError,
    read_active,
    read_model,
)
from trading_services.model_training.walk_forward import to_moment
from trading_services.training_job.figures import describe_metrics
from trading_services.training_job.job_file import JobFile
from trading_services.training_job.scoring import UnknownFormatError, score_file
from trading_services.training_job.sheet import Sheet
from trading_services.training_job.stages import Stage, Work


@dataclass(frozen=True)
class Rival:
    """The champion, or why none can be compared with."""

    model: RegisteredModel | None = None
    content: bytes = b""
    trouble: str = ""


def find_champion(database: Database, job: JobFile, schema_hash: str) -> Rival:
    """Return the version that is traded: the job's, or the registry's active one."""
    wanted = job.champion
    try:
        if wanted is None:
            row = read_active(database, job.model.type, job.model.timeframe)
            return Rival() if row is None else _load(job, row, row.file_digest, schema_hash)
        row = read_model(database, wanted.id)
    except RegistryRowError as error:
        return Rival(trouble=f"the champion's row cannot be read: {error}")
    if row is None:
        return Rival(
            trouble=f"the champion {wanted.id} is not in the registry; promote another one"
        )
    return _load(job, row, wanted.digest, schema_hash)


def compare(rival: Rival, work: Work, final: Stage, challenger: dict[str, float]) -> Any:
    """Return what both scored on the holdout, as the operator reads it; None without champion."""
    if rival.trouble:
        return {"championId": "", "unavailable": rival.trouble}
    if rival.model is None:
        return None
    first = to_moment(final.fold.test_start)
    if rival.model.usable_after >= first:
        return {
            "championId": rival.model.model_id,
            "unavailable": f"the champion {rival.model.model_id} has seen bars until "
            f"{rival.model.usable_after:%Y-%m-%dT%H:%M:%SZ}, and the holdout begins at "
            f"{first:%Y-%m-%dT%H:%M:%SZ}; train to a later dataset.to, or lower "
            "validation.holdoutBars",
        }
    rows = final.fold.test
    names = list(work.dataset.feature_names)
    if not set(rival.model.features_used) <= set(names):
        return {
            "championId": rival.model.model_id,
            "unavailable": "the champion was trained on other features; compare with a value, or "
            "name its features",
        }
    columns = [names.index(name) for name in rival.model.features_used]
    data = work.dataset
    sheet = Sheet(
        rival.model.features_used, data.features[:, columns], data.symbols, rows, data.labels[rows]
    )
    try:
        scores = score_file(rival.content, rival.model.file_format, sheet)
    except UnknownFormatError as error:
        return {
            "championId": rival.model.model_id,
            "unavailable": f"the champion cannot be scored: {error}",
        }
    return {
        "championId": rival.model.model_id,
        "champion": describe_metrics(work.evaluate(rows, scores)),
        "challenger": describe_metrics(challenger),
        "bars": len(np.unique(work.dataset.samples.times[rows])),
    }


def _load(job: JobFile, row: RegisteredModel, digest: str, schema_hash: str) -> Rival:
    path = job.models_folder / Path(row.file_path).name
    try:
        content = path.read_bytes()
    except OSError as error:
        return Rival(trouble=f"the champion's file {path.name} cannot be read ({error.strerror})")
    if build_file_digest(content) != digest or digest != row.file_digest:
        return Rival(trouble=f"the champion's file {path.name} is not what was registered")
    if row.feature_schema_hash != schema_hash:
        return Rival(
            trouble=f"the champion {row.model_id} reads features that are computed in another way; "
            "promote a version of today's feature_config.json by its values first"
        )
    return Rival(row, content)
