"""Logs as JSON, one object a line, for our own loggers and for kopf's."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# kopf adds these to its records; they hold whole objects, Secrets' names at best, noise at worst.
_KOPF = frozenset({"k8s_ref", "k8s_skip", "settings"})


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; `extra` values become fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in _KOPF:
                line[name] = value
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=_spell).decode()


def _spell(value: object) -> str:
    # Names of objects are named tuples: namespace/name, kind/name.
    plain = isinstance(value, tuple) and type(value).__str__ is object.__str__
    return "/".join(map(str, value)) if isinstance(value, tuple) and plain else str(value)


def configure_logging(level: str) -> None:
    """Send all logs to standard error as JSON; kopf's chatter only from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in ("kopf.objects", "kopf.activities", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
