"""Structured logs: one JSON object a line on stdout and, where mounted, in a rotated file."""

import logging
import logging.handlers
import os
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, ConfigDict, Field

from trading_services.contract.settings import LogLevel

EventDict = MutableMapping[str, Any]

_SECRET_KEY = re.compile(r"password|secret|token|api_?key|authorization", re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    r"(?i)((?:password|secret|api_?key|token)\s*[=:]\s*|://[^\s:/@]+:)([^\s@,;'\"]+)"
)


class LogFile(BaseModel):
    """The rotated log file in the logs folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    max_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 10 * 1024 * 1024
    backups: Annotated[int, Field(ge=0, le=100)] = 3


class LoggingConfig(BaseModel):
    """logging.yaml: the level, levels of single loggers, and the log file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: LogLevel = "INFO"
    loggers: dict[str, LogLevel] = Field(default={"uvicorn": "WARNING"}, max_length=64)
    file: LogFile = LogFile()


def configure_logging(config: LoggingConfig, component: str, logs_dir: Path) -> None:
    """Send every logger's records, structlog's and the standard library's, as JSON lines."""
    shared = _shared_processors(component)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    root = logging.getLogger()
    root.handlers = [*_build_handlers(config.file, component, logs_dir)]
    for handler in root.handlers:
        handler.setFormatter(formatter)
    root.setLevel(config.level)
    for name, level in config.loggers.items():
        logging.getLogger(name).setLevel(level)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger whose name appears as `logger` in every line."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _shared_processors(component: str) -> list[Any]:
    def add_component(_: Any, __: str, event: EventDict) -> EventDict:
        event.setdefault("component", component)
        return event

    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.format_exc_info,
        add_component,
        redact_secrets,
    ]


def redact_secrets(_: Any, __: str, event: EventDict) -> EventDict:
    """Blank values whose key names a secret, and passwords inside any text."""
    for key, value in event.items():
        if _SECRET_KEY.search(key):
            event[key] = "[redacted]"
        elif isinstance(value, str):
            event[key] = _SECRET_IN_TEXT.sub(r"\1[redacted]", value)
    return event


def _build_handlers(file: LogFile, component: str, logs_dir: Path) -> list[logging.Handler]:
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    # The folder exists only where a logs volume is mounted; stdout serves without one.
    if file.enabled and logs_dir.is_dir() and os.access(logs_dir, os.W_OK):
        path = logs_dir / f"{component}.log"
        handlers.append(
            logging.handlers.RotatingFileHandler(
                path, maxBytes=file.max_bytes, backupCount=file.backups, encoding="utf-8"
            )
        )
    return handlers
