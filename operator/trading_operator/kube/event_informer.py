"""Watches that need care: those that a role may forbid, and that of Events."""

import random
import time

from trading_operator.kube.errors import ApiError
from trading_operator.kube.informer import GONE, Informer

# The server ends the watch itself, before its silence could mean that it is dead.
WATCH_SECONDS = (40, 70)
FORBIDDEN = 403


class OptionalInformer(Informer):
    """A watch that the operator does without where its role is from before."""

    _forbidden = False

    def silence(self) -> float:
        """Return the seconds since the API server said something; a no is something."""
        return 0.0 if self._forbidden else super().silence()

    async def _recover(self, error: ApiError) -> None:
        self._forbidden = error.status == FORBIDDEN
        if self._forbidden:
            self.synced.set()
        await super()._recover(error)


class EventInformer(OptionalInformer):
    """A watch that is long silent when all is well: the API server keeps no cache of Events, and
    sends no bookmarks.

    Without it failed probes are seen late, by the pods' status and the deadline of a change.
    """

    async def _watch(self) -> None:
        await super()._watch()
        self._heard = time.monotonic()

    async def _recover(self, error: ApiError) -> None:
        if error.status == GONE and self._gone:
            # Nothing happened for so long that nobody knows the version any more.
            self._gone = 0
        await super()._recover(error)

    def _watch_params(self, **more: str) -> dict[str, str]:
        seconds = str(random.randint(*WATCH_SECONDS))
        return super()._watch_params(**{"timeoutSeconds": seconds, **more})
