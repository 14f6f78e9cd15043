"""The job file: what a Job is to back up, verify or restore, as the operator writes it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from trading_backup.errors import BackupError
from trading_backup.reasons import Reason

VARIABLE = "TRADING_BACKUP_JOB"

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0, le=100_000)]
SetChoice = Annotated[str, Field(pattern=r"^(latest|[0-9]{8}T[0-9]{6}Z)$")]
Mode = Literal["Full", "Incremental"]
RestoreMode = Literal["Empty", "InPlace"]

_SUBSET = re.compile(r"^([0-9]{1,3})/([0-9]{1,3})$")
_PERCENT = re.compile(r"^([0-9]{1,3}(?:\.[0-9]{1,3})?)%$")
_SIZE = re.compile(r"^[1-9][0-9]{0,14}[kKmMgGtT]?$")


class Model(BaseModel):
    """What the models of the job file have in common: camelCase, nothing unknown, never changed."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class S3(Model):
    """A bucket for the repository; `caFile` is for a server with a certificate of one's own."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/\s]+/?$", max_length=253)]
    bucket: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]+$", max_length=63)]
    prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._/-]*$", max_length=255)] = ""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]*$", max_length=63)] = ""
    access_key_file: Path
    secret_key_file: Path
    ca_file: Path | None = None


class Repository(Model):
    """Where the repository is: a folder, or a bucket."""

    path: Path | None = None
    s3: S3 | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.path is None) == (self.s3 is None):
            raise ValueError("set one of path and s3")
        return self


class PostgreSQLTarget(Model):
    """A PostgreSQL database; `path` is where a physical set is restored to, as PGDATA itself.

    The server of a drill waits for `startFile` before it starts.
    """

    name: Name
    engine: Literal["PostgreSQL", "TimescaleDB"]
    method: Literal["Logical", "Physical"] = "Logical"
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Port = 5432
    user: Annotated[str, Field(min_length=1, max_length=63)]
    database: Annotated[str, Field(min_length=1, max_length=63)]
    password_file: Path
    path: Path | None = None
    start_file: Path | None = None


class RedisTarget(Model):
    """A Redis server; `path` is where a drill's server looks for its data when it starts."""

    name: Name
    engine: Literal["Redis"]
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Port = 6379
    password_file: Path | None = None
    path: Path | None = None
    start_file: Path | None = None


class VolumeTarget(Model):
    """A mounted folder."""

    name: Name
    engine: Literal["Volume"]
    path: Path


Target = Annotated[PostgreSQLTarget | RedisTarget | VolumeTarget, Field(discriminator="engine")]


class FactSettings(Model):
    """How much of the data is remembered beside it, for drills to compare."""

    row_hashes: bool = False


class Assertion(Model):
    """A query whose first value is true of restored data."""

    name: Name = "assertion"
    target: Name
    sql: Annotated[str, Field(min_length=1, max_length=4096)]


class Retention(Model):
    """Which sets are kept; a rule of 0 keeps nothing by itself, and without any all are kept."""

    days: Count = 0
    keep_last: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0


class Verify(Model):
    """How much of the repository each check reads: x%, n/t, a size, or 0% for its structure."""

    read_data: str = "0%"

    @field_validator("read_data")
    @classmethod
    def _check_read_data(cls, text: str) -> str:
        subset, percent = _SUBSET.match(text), _PERCENT.match(text)
        if subset and 1 <= int(subset[1]) <= int(subset[2]) <= 256:
            return text
        if (percent and float(percent[1]) <= 100) or _SIZE.match(text):
            return text
        raise ValueError("use a share (5%), a part (3/10, of at most 256), or a size (500M)")


class Hook(Model):
    """A request to a service around the time in which data are read."""

    name: Name
    url: Annotated[str, Field(pattern=r"^https?://", max_length=2048)]
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 30
    on_failure: Literal["Fail", "Continue"] = "Fail"


class Hooks(Model):
    """The requests before and after."""

    before: Annotated[tuple[Hook, ...], Field(max_length=64)] = ()
    after: Annotated[tuple[Hook, ...], Field(max_length=64)] = ()


class Restore(Model):
    """Which set a drill or a restore takes, and where its data may go.

    By `id` a restore whose pod was lost knows what it has replaced already.
    """

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9-]*$", max_length=64)] = ""
    set: SetChoice = "latest"
    targets: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    mode: RestoreMode = "Empty"


class Job(Model):
    """The whole job file."""

    backup: Name
    system: Name
    namespace: Name
    repository: Repository
    password_file: Path
    scratch: Path
    mode: Mode = "Full"
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=64)]
    facts: FactSettings = FactSettings()
    assertions: Annotated[tuple[Assertion, ...], Field(max_length=64)] = ()
    retention: Retention = Retention()
    verify: Verify = Verify()
    hooks: Hooks = Hooks()
    restore: Restore = Restore()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [target.name for target in self.targets]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two targets are called {name}: give each a name of its own")
        asserted = {assertion.target for assertion in self.assertions}
        for name in sorted(asserted.union(self.restore.targets) - set(names)):
            raise ValueError(f"no target is called {name}: choose from {', '.join(names)}")
        return self


def read_job(environment: Mapping[str, str] = os.environ) -> Job:
    """Read and check the job file that the environment names."""
    path = environment.get(VARIABLE, "")
    if not path:
        raise _invalid(f"{VARIABLE} is not set", "let it name the job file")
    try:
        return Job.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise _invalid(f"{path} cannot be read ({error.strerror})", "mount the job file") from None
    except ValidationError as error:
        problem = f"{path}: {'; '.join(explain(error))}"
        raise _invalid(problem, "mend the field, or run the image of the operator") from None


def explain(error: ValidationError) -> list[str]:
    """Spell each problem with the path of its field, at most five of them."""
    problems = [_explain_one(problem) for problem in error.errors(include_url=False)]
    return problems[:5] + ([f"and {len(problems) - 5} more"] if len(problems) > 5 else [])


def _explain_one(problem: Mapping[str, Any]) -> str:
    # The tag of a union is no field: targets.0.Redis.host is targets[0].host.
    parts = [
        part
        for part in problem["loc"]
        if part not in ("PostgreSQL", "TimescaleDB", "Redis", "Volume")
    ]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return f"{path.lstrip('.') or 'the file'}: {problem['msg'].removeprefix('Value error, ')}"


def _invalid(problem: str, mend: str) -> BackupError:
    return BackupError(Reason.INVALID_JOB, problem, mend, permanent=True)
