"""job.json: what is trained on which data, how it is judged, and where it is kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from trading_services.training_job.errors import PermanentError

Moment = Annotated[str, Field(max_length=32)]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Line(_Part):
    """Which model it is."""

    type: str
    timeframe: str


class DatabaseSpec(_Part):
    """Where the bars, the features and the registry are."""

    host: str
    port: int
    name: str
    user: str
    password_file: Path


class DatasetSpec(_Part):
    """Which bars; times are days or moments in UTC."""

    symbols: Annotated[list[str], Field(min_length=1)]
    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None
    as_of: Moment | None = None
    min_bars: int = 400

    @property
    def first(self) -> datetime | None:
        """The first moment that is read."""
        return None if self.from_ is None else _read_moment("dataset.from", self.from_)

    @property
    def last(self) -> datetime | None:
        """The last moment that is read; a day is read to its end."""
        ends = [
            _read_end(name, text)
            for name, text in (("dataset.to", self.to), ("dataset.asOf", self.as_of))
            if text is not None
        ]
        return min(ends, default=None)


class ValidationSpec(_Part):
    """How a version is judged out of sample."""

    folds: int = 5
    embargo_bars: int = 5
    min_train_bars: int = 250
    holdout_bars: int = 100


class AssumptionsSpec(_Part):
    """How scores are traded when a version is judged."""

    entry_strength: float = 0.03
    cost_bps: float = 3.0
    bars_per_year: int = 252


class ChampionSpec(_Part):
    """The version that is traded now."""

    id: str
    digest: str
    file: str


class CheckpointSpec(_Part):
    """Where and how often a training is saved."""

    folder: Path
    every_seconds: float = 60
    keep: int = 2


class RetentionSpec(_Part):
    """Which versions' files stay."""

    keep_versions: int = 10
    keep: list[str] = []


class DeviceSpec(_Part):
    """What it runs on."""

    name: str = "cpu"
    resource: str | None = None
    count: int = 1


class JobFile(_Part):
    """The whole file."""

    job: str
    run: int
    system: str
    model: Line
    trainer: str = "LightGBM"
    database: DatabaseSpec
    dataset: DatasetSpec
    features: list[str] = []
    horizon_bars: int = 1
    hyperparameters: dict[str, str] = {}
    seed: int = 7
    validation: ValidationSpec = ValidationSpec()
    assumptions: AssumptionsSpec = AssumptionsSpec()
    leakage_checks: list[str] = []
    champion: ChampionSpec | None = None
    models_folder: Path
    checkpoints: CheckpointSpec
    retention: RetentionSpec = RetentionSpec()
    device: DeviceSpec = DeviceSpec()
    image: str = ""


def read_job_file(path: Path) -> JobFile:
    """Read the file; raises PermanentError naming the field."""
    try:
        return JobFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PermanentError(
            "NoJobFile", f"TRADING_TRAINING_JOB: {path} cannot be read ({error.strerror})"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise PermanentError("InvalidJobFile", f"{field}: {first['msg']}") from None


def _read_moment(field: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise PermanentError(
            "InvalidRange", f"{field}: {text} is no day of the calendar; mend it"
        ) from None


def _read_end(field: str, text: str) -> datetime:
    moment = _read_moment(field, text)
    is_day = "T" not in text
    return moment + timedelta(days=1) - timedelta(microseconds=1) if is_day else moment
