"""job.json: what is trained on which data, how it is judged, and where it is kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from trading_services.training_job.errors import PermanentError

Moment = Annotated[str, Field(max_length=32)]
Whole = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


_DAY = timedelta(days=1) - timedelta(microseconds=1)


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Line(_Part):
    """Which model it is."""

    type: Annotated[str, Field(pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
    timeframe: Annotated[str, Field(pattern="^[0-9]+[a-zA-Z]+$", max_length=16)]


class DatabaseSpec(_Part):
    """Where the bars, the features and the registry are."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)]
    name: Text
    user: Text
    password_file: Path


class DatasetSpec(_Part):
    """Which bars; times are days or moments in UTC."""

    symbols: Annotated[list[Text], Field(min_length=1)]
    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None
    as_of: Moment | None = None
    min_bars: Whole = 400

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

    scheme: Literal["PurgedWalkForward"] = "PurgedWalkForward"
    folds: Whole = 5
    embargo_bars: Annotated[int, Field(ge=0)] = 5
    min_train_bars: Whole = 250
    holdout_bars: Whole = 100


class AssumptionsSpec(_Part):
    """How scores are traded when a version is judged."""

    entry_strength: Annotated[float, Field(ge=0, le=1)] = 0.03
    cost_bps: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 3.0
    bars_per_year: Whole = 252


class ChampionSpec(_Part):
    """The version that is traded now."""

    id: str
    digest: str
    file: str


class CheckpointSpec(_Part):
    """Where and how often a training is saved."""

    folder: Path
    every_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60
    keep: Whole = 2


class RetentionSpec(_Part):
    """Which versions' files stay."""

    keep_versions: Whole = 10
    keep: list[str] = []


class DeviceSpec(_Part):
    """What it runs on."""

    name: str = "cpu"
    resource: str | None = None
    count: int = 1


class JobFile(_Part):
    """The whole file."""

    job: str
    run: Whole
    system: str
    model: Line
    trainer: str = "LightGBM"
    database: DatabaseSpec
    dataset: DatasetSpec
    features: list[str] = []
    horizon_bars: Whole = 1
    hyperparameters: dict[str, str] = {}
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    validation: ValidationSpec = ValidationSpec()
    assumptions: AssumptionsSpec = AssumptionsSpec()
    leakage_checks: list[Literal["LabelShuffle", "FutureShift"]] = []
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
            "NoJobFile",
            f"TRADING_TRAINING_JOB: {path} cannot be read ({error.strerror}); mend the path",
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise PermanentError("InvalidJobFile", f"{field}: {first['msg']}; mend it") from None


def _read_moment(field: str, text: str, length: timedelta = timedelta()) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) + length
    except (ValueError, OverflowError):
        raise PermanentError(
            "InvalidRange", f"{field}: {text} is no day of the calendar; mend it"
        ) from None


def _read_end(field: str, text: str) -> datetime:
    is_day = "T" not in text
    return _read_moment(field, text, _DAY if is_day else timedelta())
