"""A drill's own servers: told to start, and waited for."""

import time
from collections.abc import Callable
from pathlib import Path

from trading_backup.errors import BackupError
from trading_backup.reasons import Reason
from trading_backup.tools import Tools

# A server may have to replay its log first.
_START_SECONDS = 1800.0
_POLL_SECONDS = 0.2


def start_server(tools: Tools, start_file: Path | None, ask: Callable[[], None]) -> None:
    """Let a server start that waits for its file, and wait until it answers."""
    if start_file is None:
        return
    start_file.touch()
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            ask()
            return
        except BackupError as error:
            if error.reason is not Reason.TARGET_UNREACHABLE or time.monotonic() > deadline:
                raise
        tools.stop.check()
        time.sleep(_POLL_SECONDS)
