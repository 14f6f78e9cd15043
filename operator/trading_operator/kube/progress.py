"""Asks the program in a Job's pod how far it is."""

from dataclasses import dataclass, field

import aiohttp

from trading_operator.plan.backup.answers import Progress, read_progress
from trading_operator.plan.backup.pods import PROGRESS_PORT

# A run goes on whether or not it is heard of.
_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_TOO_MUCH = 4096  # bytes of an answer
_OK = 200


@dataclass
class ProgressReader:
    """Reads of pods; its session has none of the operator's credentials."""

    port: int = PROGRESS_PORT
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def read(self, address: str) -> Progress | None:
        """Return how far a run is; None when its pod does not say."""
        if not address:
            return None
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{self.port}/progress"
        try:
            async with self._open().get(url, allow_redirects=False) as answer:
                if answer.status != _OK or (answer.content_length or _TOO_MUCH) >= _TOO_MUCH:
                    return None
                return read_progress(await answer.read())
        except (aiohttp.ClientError, OSError, ValueError):
            return None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self._session
