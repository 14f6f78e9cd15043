"""Configuration files: JSON or YAML, validated by a pydantic model, absent means defaults."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from trading_services.contract.errors import ConfigError
from trading_services.contract.settings import config_error

Config = TypeVar("Config", bound=BaseModel)


def read_config(path: Path, model: type[Config]) -> Config:
    """Read and validate a configuration file; the model's defaults serve when it is absent."""
    if not path.exists():
        return model()
    content = _parse(path)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise config_error(str(path), error) from None


def _parse(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix in (".yaml", ".yml"):
            return _parse_yaml(text, path)
        return json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), "", f"cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg}"
        raise ConfigError(str(path), f"line {error.lineno}", problem) from None


def _parse_yaml(text: str, path: Path) -> Any:
    import yaml  # only logging.yaml needs it

    try:
        return yaml.safe_load(text) or {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(str(path), f"line {line}", f"is not YAML: {error.problem}") from None
