"""The model registry: which models there are, and which one is active."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading_services.database.connection import Database

ACTIVE = "active"
RETIRED = "retired"
REJECTED = "rejected"
CANDIDATE = "candidate"  # of a ModelTrainingJob: traded only where it is selected

_COLUMNS = "model_id, model_type, timeframe, version, status, file_path, metrics, features_used"

# Training twice at once must not give two active models.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('model_registry:' || %s || ':' || %s, 0))"

_COUNT = "SELECT count(*) FROM model_registry WHERE model_type = %s AND timeframe = %s"

_RETIRE = """
UPDATE model_registry
SET status = 'retired',
    performance_history = coalesce(performance_history, '[]'::jsonb) || %(note)s::jsonb
WHERE model_type = %(model_type)s AND timeframe = %(timeframe)s AND status = 'active'
  AND model_id <> %(model_id)s
"""

_REGISTER = """
INSERT INTO model_registry (model_id, model_type, timeframe, trained_at, metrics, hyperparameters,
                            features_used, version, status, file_path, performance_history)
VALUES (%(model_id)s, %(model_type)s, %(timeframe)s, now(), %(metrics)s, %(hyperparameters)s,
        %(features_used)s, %(version)s, %(status)s, %(file_path)s, %(note)s)
ON CONFLICT (model_id) DO UPDATE SET status = excluded.status, file_path = excluded.file_path
"""


@dataclass(frozen=True)
class RegisteredModel:
    """A row of the registry, with what its metrics say about file, features and data.

    `usable_after` is the last bar that had any part in making or choosing the model: trading on
    it or on an earlier one would be trading on known data.
    """

    model_id: str
    model_type: str
    timeframe: str
    version: str
    status: str
    file_path: str
    features_used: tuple[str, ...]
    file_digest: str
    feature_schema_hash: str
    bars: int
    usable_after: datetime
    symbols: tuple[str, ...]
    file_format: str = "lightgbm"


@dataclass(frozen=True)
class NewModel:
    """What is registered; `metrics` holds the facts that RegisteredModel reads back."""

    model_id: str
    model_type: str
    timeframe: str
    status: str
    file_path: str
    metrics: Mapping[str, Any]
    hyperparameters: Mapping[str, Any]
    features_used: tuple[str, ...]
    note: Mapping[str, Any]


class RegistryRowError(Exception):
    """A row of model_registry lacks facts that a model needs; names the row and the field."""

    def __init__(self, model_id: str, status: str, problem: str) -> None:
        super().__init__(f"model_registry row {model_id}: {problem}")
        self.model_id = model_id
        self.status = status


@dataclass(frozen=True)
class Registry:
    """The active and retired models, oldest version first, and the rows that are none."""

    models: tuple[RegisteredModel, ...]
    refused: tuple[RegistryRowError, ...]


def read_registry(database: Database) -> Registry:
    """Read all models; a row that others wrote, or that is damaged, spoils none but itself."""
    rows = database.query(
        f"SELECT {_COLUMNS} FROM model_registry WHERE status IN ('active', 'retired') "
        "ORDER BY trained_at, model_id"
    )
    models, refused = [], []
    for row in rows:
        try:
            models.append(build_registered_model(row))
        except RegistryRowError as error:
            refused.append(error)
    return Registry(tuple(models), tuple(refused))


def read_active(database: Database, model_type: str, timeframe: str) -> RegisteredModel | None:
    """Return the active model of a type and timeframe, or None."""
    rows = database.query(
        f"SELECT {_COLUMNS} FROM model_registry "
        "WHERE model_type = %s AND timeframe = %s AND status = 'active' "
        "ORDER BY trained_at DESC LIMIT 1",
        (model_type, timeframe),
    )
    return build_registered_model(rows[0]) if rows else None


def read_model(database: Database, model_id: str) -> RegisteredModel | None:
    """Return a model of whatever status, or None; raises RegistryRowError."""
    rows = database.query(f"SELECT {_COLUMNS} FROM model_registry WHERE model_id = %s", (model_id,))
    return build_registered_model(rows[0]) if rows else None


def read_attempted_bars(database: Database, model_type: str, timeframe: str) -> int:
    """Return the largest number of bars that any registered training was given."""
    rows = database.query(
        "SELECT coalesce(max((metrics -> 'data' ->> 'bars')::int), 0) FROM model_registry "
        "WHERE model_type = %s AND timeframe = %s",
        (model_type, timeframe),
    )
    return int(rows[0][0])


def write_model(database: Database, model: NewModel) -> None:
    """Register a model and, when it is active, retire the one before, all or nothing.

    Registering the same model again leaves one row.
    """
    key = (model.model_type, model.timeframe)
    with database.transaction() as cursor:
        cursor.execute(_LOCK, key)
        cursor.execute(_COUNT, key)
        version = int(cursor.fetchone()[0]) + 1
        parameters = _build_parameters(model, version)
        if model.status == ACTIVE:
            retirement = {"event": "Retired", "replacedBy": model.model_id}
            cursor.execute(_RETIRE, {**parameters, "note": json.dumps([retirement])})
        cursor.execute(_REGISTER, parameters)


def build_registered_model(row: tuple[Any, ...]) -> RegisteredModel:
    """Turn a row into a model; raises RegistryRowError naming what is missing."""
    model_id, model_type, timeframe, version, status, file_path, metrics, features = row
    try:
        data = metrics["data"]
        return RegisteredModel(
            model_id=model_id,
            model_type=model_type,
            timeframe=timeframe,
            version=version,
            status=status,
            file_path=file_path or "",
            features_used=_build_names("features_used", features),
            file_digest=_build_text("file_sha256", metrics["file_sha256"]),
            feature_schema_hash=_build_text("feature_schema_hash", metrics["feature_schema_hash"]),
            bars=int(data["bars"]),
            usable_after=_build_moment("usable_after", data["usable_after"]),
            symbols=_build_names("symbols", data["symbols"]),
            file_format=_build_text("file_format", metrics.get("file_format", "lightgbm")),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        problem = f"metrics lack or misstate {error}; train it again, or delete a foreign row"
        raise RegistryRowError(model_id, status, problem) from None


def _build_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: a text is wanted")
    return value


def _build_names(name: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{name}: a list is wanted")
    return tuple(_build_text(name, value) for value in values)


def _build_moment(name: str, value: Any) -> datetime:
    moment = datetime.fromisoformat(_build_text(name, value))
    if moment.tzinfo is None:
        raise ValueError(f"{name}: a time zone is wanted")
    return moment


def _build_parameters(model: NewModel, version: int) -> dict[str, Any]:
    return {
        "model_id": model.model_id,
        "model_type": model.model_type,
        "timeframe": model.timeframe,
        "metrics": json.dumps(model.metrics),
        "hyperparameters": json.dumps(model.hyperparameters),
        "features_used": json.dumps(list(model.features_used)),
        "version": str(version),
        "status": model.status,
        "file_path": model.file_path,
        "note": json.dumps([model.note]),
    }
