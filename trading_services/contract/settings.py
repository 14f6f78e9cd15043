"""Settings from environment variables, secrets from the files that `NAME_FILE` points to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from trading_services.contract.errors import ConfigError

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Port = Annotated[int, Field(ge=1, le=65535)]


class ServiceSettings(BaseModel):
    """What every service reads from its environment; a component subclasses it for its own.

    LOG_LEVEL goes before the level in logging.yaml.
    A field `replay_speed` is read from REPLAY_SPEED, or from the file that REPLAY_SPEED_FILE names.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    timescaledb_host: str = "timescaledb"
    timescaledb_port: Port = 5432
    timescaledb_user: str = "postgres"
    timescaledb_database: str = "postgres"
    timescaledb_password: SecretStr = SecretStr("")

    trading_mode: Annotated[str, Field(pattern="^(Paper|Live)$")] = "Paper"
    trading_system: str = ""
    pod_name: str = ""
    pod_uid: str = ""

    http_host: str = "0.0.0.0"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 0
    log_level: LogLevel | None = None
    config_dir: Path = Path("/app/config")
    logs_dir: Path = Path("/app/logs")

    database_wait_seconds: Annotated[float, Field(gt=0, le=3600)] = 300
    beat_interval_seconds: Annotated[float, Field(gt=0, le=60)] = 2
    loop_deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 60
    stop_grace_seconds: Annotated[float, Field(gt=0, le=600)] = 25


Settings = TypeVar("Settings", bound=BaseModel)


def read_settings(model: type[Settings], environment: Mapping[str, str]) -> Settings:
    """Read the model's fields from the environment; raise ConfigError naming the variable."""
    values = {
        name: value
        for name in model.model_fields
        if (value := _read_variable(name.upper(), environment)) is not None
    }
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise config_error("environment", error, upper=True) from None


def _read_variable(name: str, environment: Mapping[str, str]) -> str | None:
    path = environment.get(f"{name}_FILE")
    if not path:
        # An empty variable is what a template leaves behind for "not set".
        return environment.get(name) or None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError("environment", f"{name}_FILE", f"cannot read {path}: {error}") from None


def config_error(source: str, error: ValidationError, *, upper: bool = False) -> ConfigError:
    """Turn pydantic's first finding into a ConfigError without the offending value in it."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return ConfigError(source, field.upper() if upper else field, first["msg"])
