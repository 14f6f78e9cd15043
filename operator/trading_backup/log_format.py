"""Logs as JSON on stdout, one object a line, without secrets."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from trading_backup.secret_files import SecretFiles

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; `extra` values become fields."""

    def __init__(self, secrets: SecretFiles) -> None:
        """Blot out what `secrets` knows."""
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return self._secrets.blot(json.dumps(line, default=str, ensure_ascii=False))


def configure_logging(secrets: SecretFiles) -> None:
    """Send all logs to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
