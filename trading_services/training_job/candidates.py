"""Registers versions, and lets the files of old ones go."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trading_services
from trading_services.database.connection import Database
from trading_services.model_training.dataset import Dataset
from trading_services.model_training.registry import CANDIDATE
from trading_services.model_training.walk_forward import to_moment
from trading_services.training_job.errors import PermanentError
from trading_services.training_job.figures import build_json
from trading_services.training_job.job_file import JobFile

_INSERT = """
INSERT INTO model_registry (model_id, model_type, timeframe, trained_at, metrics, hyperparameters,
                            features_used, version, status, file_path, performance_history)
SELECT %(model_id)s, %(model_type)s, %(timeframe)s, now(), %(metrics)s, %(hyperparameters)s,
       %(features_used)s,
       (SELECT count(*) + 1 FROM model_registry
        WHERE model_type = %(model_type)s AND timeframe = %(timeframe)s)::text,
       %(status)s, %(file_path)s, %(note)s
ON CONFLICT (model_id) DO NOTHING
"""
_DIGEST = "SELECT metrics ->> 'file_sha256' FROM model_registry WHERE model_id = %s"
# Training twice at once must not give two versions one number.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('model_registry:' || %s || ':' || %s, 0))"
_CANDIDATES = """
SELECT model_id, file_path FROM model_registry
WHERE model_type = %s AND timeframe = %s AND metrics ->> 'job' = %s
  AND status = 'candidate' AND file_path IS NOT NULL
ORDER BY trained_at DESC, model_id
"""
_EXPIRE = """
UPDATE model_registry
SET performance_history = coalesce(performance_history, '[]'::jsonb) || %s::jsonb
WHERE model_id = %s AND NOT coalesce(performance_history, '[]'::jsonb) @> '[{"event": "Expired"}]'
"""
_IN_USE = """
SELECT file_path FROM model_registry
WHERE status IN ('active', 'retired')
   OR (status = 'candidate'
       AND (model_type, timeframe, coalesce(metrics ->> 'job', '')) <> (%s, %s, %s))
"""


@dataclass(frozen=True)
class Version:
    """What is registered; the row never changes but for its history."""

    model_id: str
    file: Path
    digest: str
    size: int
    bars: int
    code_digest: str
    schema_hash: str
    file_format: str


def register(
    database: Database, job: JobFile, dataset: Dataset, version: Version, facts: Mapping[str, Any]
) -> None:
    """Write the row; the same version again changes nothing. The file is there already."""
    row = {
        "model_id": version.model_id,
        "model_type": job.model.type,
        "timeframe": job.model.timeframe,
        "status": CANDIDATE,
        "file_path": str(version.file),
        "features_used": json.dumps(list(dataset.feature_names)),
        "hyperparameters": json.dumps(_build_hyperparameters(job)),
        "metrics": json.dumps(build_json(_build_metrics(job, dataset, version, facts))),
        "note": json.dumps([{"event": "Registered", "by": f"ModelTrainingJob {job.job}"}]),
    }
    with database.transaction() as cursor:
        cursor.execute(_LOCK, (job.model.type, job.model.timeframe))
        cursor.execute(_INSERT, row)
        cursor.execute(_DIGEST, (version.model_id,))
        known = cursor.fetchone()[0]
        if known != version.digest:
            raise PermanentError(
                "VersionTaken",
                f"model_registry row {version.model_id} is of another file ({known}); delete the "
                "row, or train with another seed",
            )


def expire_old(database: Database, job: JobFile, version: Version) -> list[str]:
    """Delete the files of the job's versions beyond those kept; their rows stay, and say so.

    Other jobs' are not its own to delete: their services may trade with them. `version` is kept:
    one that was trained again may have an old row. Returns what expired now.
    """
    line = (job.model.type, job.model.timeframe, job.job)
    rows = database.query(_CANDIDATES, line)
    found = [(str(model_id), Path(path).name) for model_id, path in rows]
    newest = {model_id for model_id, _ in found[: job.retention.keep_versions]}
    kept = newest | {version.model_id, *job.retention.keep}
    # Two versions may be one file, also those of two lines or jobs.
    files = {name for model_id, name in found if model_id in kept}
    files |= {Path(row[0]).name for row in database.query(_IN_USE, line) if row[0]}
    old = [(model_id, name) for model_id, name in found if name not in files]
    expired = []
    for model_id, name in old:
        note = {"event": "Expired", "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        if database.execute(_EXPIRE, (json.dumps([note]), model_id)):
            expired.append(model_id)
        (job.models_folder / name).unlink(missing_ok=True)
    return expired


def build_code_digest() -> str:
    """Return the SHA-256 over the sources that decide a training's result."""
    root, digest = Path(trading_services.__file__).parent, hashlib.sha256()
    for package in ("training_job", "model_training", "feature_engineering"):
        for path in sorted((root / package).glob("*.py")):
            digest.update(f"{package}/{path.name}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _build_hyperparameters(job: JobFile) -> dict[str, Any]:
    return {
        "trainer": job.trainer,
        "given": job.hyperparameters,
        "seed": job.seed,
        "horizon_bars": job.horizon_bars,
        "validation": job.validation.model_dump(),
        "assumptions": job.assumptions.model_dump(),
        "dataset": job.dataset.model_dump(mode="json", by_alias=True),
    }


def _build_metrics(
    job: JobFile, dataset: Dataset, version: Version, facts: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "file_sha256": version.digest,
        "file_bytes": version.size,
        "file_format": version.file_format,
        "feature_schema_hash": version.schema_hash,
        "code_digest": version.code_digest,
        "data": {
            "digest": dataset.digest,
            "bars": version.bars,
            "samples": len(dataset.returns),
            "usable_after": to_moment(dataset.last_bar).isoformat(),
            "symbols": list(job.dataset.symbols),
        },
        "image": job.image,
        "device": job.device.name,
        "job": job.job,
        "run": job.run,
        **facts,
    }
