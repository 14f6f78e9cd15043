"""What the operator logs as an error, by system."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

_LENGTH = 3000


@dataclass
class OperatorLog:
    """The operator's log, read as it grows; a line that is no JSON is an error of nobody."""

    path: Path
    offset: int = 0
    errors: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def read(self) -> None:
        """Take in what was logged since the last time."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            block = file.read()
        end = block.rfind(b"\n") + 1
        self.offset += end
        for line in block[:end].splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            told: dict[str, Any] = orjson.loads(line)
        except orjson.JSONDecodeError:
            told = {"level": "error", "event": line.decode(errors="replace")}
        if "traceback" in told or told["level"] in ("error", "critical"):
            text = f"{told['event']}\n{told.get('traceback', '')}"
            self.errors[str(told.get("system", ""))].append(text[-_LENGTH:])

    def mark(self, system: str) -> int:
        """Return a mark after which the errors of a system are new."""
        self.read()
        return len(self.errors[system])

    def since(self, system: str, mark: int) -> tuple[str, ...]:
        """Return the errors of a system after a mark."""
        self.read()
        return tuple(self.errors[system][mark:])
