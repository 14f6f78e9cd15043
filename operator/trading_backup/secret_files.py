"""Secrets: read from files, and blotted out of everything that is said."""

import json
from pathlib import Path

from trading_backup.errors import BackupError
from trading_backup.reasons import Reason

BLOT = "[secret]"
# Shorter ones would blot out ordinary words; nobody's real password is that short.
_SHORTEST = 6


class SecretFiles:
    """Reads secrets and remembers their values, only to keep them out of logs and answers."""

    def __init__(self) -> None:
        """Know no secret yet."""
        self._values: set[str] = set()

    def read(self, path: Path, purpose: str) -> str:
        """Return a secret without its line end; `purpose` is what it opens."""
        try:
            # The database's images strip the same line ends.
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise _missing(f"the password of {purpose} cannot be read from {path}") from None
        if not value:
            raise _missing(f"the password of {purpose} in {path} is empty")
        if len(value) >= _SHORTEST:
            # Also as JSON spells it, where it has quotes.
            self._values |= {
                value,
                json.dumps(value)[1:-1],
                json.dumps(value, ensure_ascii=False)[1:-1],
            }
        return value

    def blot(self, text: str) -> str:
        """Return the text with every secret that was read so far blotted out."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, BLOT)
        return text


def _missing(problem: str) -> BackupError:
    mend = "mount the Secret, readable for this pod, with its key"
    return BackupError(Reason.SECRET_MISSING, problem, mend, permanent=True)
