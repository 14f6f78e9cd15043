"""Asks the programs in pods: how far a Job is, what a service trades with."""

from dataclasses import dataclass, field

import aiohttp

from trading_operator.plan.backup.answers import Progress, read_progress
from trading_operator.plan.backup.pods import PROGRESS_PORT
from trading_operator.plan.training.answers import TrainingSaid, read_training_said
from trading_operator.plan.training.reports import ModelReport, read_reports

# A run goes on whether or not it is heard of.
_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_MOST_PROGRESS = 4096  # bytes of an answer
_MOST_REPORTS = 65536
_OK = 200


@dataclass
class ProgressReader:
    """Reads of pods; its session has none of the operator's credentials."""

    port: int = PROGRESS_PORT
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def read(self, address: str) -> Progress | None:
        """Return how far a backup's run is; None when its pod does not say."""
        text = await self._ask(address, self.port, "progress", _MOST_PROGRESS)
        return None if text is None else read_progress(text)

    async def read_training(self, address: str) -> TrainingSaid | None:
        """Return how far a training is; None when its pod does not say."""
        text = await self._ask(address, self.port, "progress", _MOST_PROGRESS)
        return None if text is None else read_training_said(text)

    async def read_models(self, address: str, port: int) -> tuple[ModelReport, ...] | None:
        """Return what a service says of its models; None when its pod does not say."""
        text = await self._ask(address, port, "models", _MOST_REPORTS)
        return None if text is None else read_reports(text)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, address: str, port: int, path: str, most: int) -> bytes | None:
        """Return what a pod answers, if that is not too much."""
        if not address:
            return None
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{port}/{path}"
        try:
            async with self._open().get(url, allow_redirects=False) as answer:
                length = answer.content_length
                if answer.status != _OK or length is None or length > most:
                    return None
                return await answer.read()
        except (aiohttp.ClientError, OSError, ValueError):
            return None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self._session
