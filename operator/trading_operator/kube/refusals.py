"""Writes that the API server refused: kept for the status, tried again slowly."""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from trading_operator.kube.backoff import delay
from trading_operator.kube.cache import Key
from trading_operator.kube.errors import ApiError
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Failure, Manifest

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0
# However a refusal came to stand past its time, it makes no pass follow on the other at once.
SOONEST_SECONDS = 1.0
Monotonic = Callable[[], float]


@dataclass(frozen=True)
class _Refusal:
    failure: Failure
    manifest: bytes
    times: int
    until: float


class Refusals:
    """What was refused of each system, until when it is not tried again unless it changes."""

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Key, dict[Ref, _Refusal]] = {}

    def standing(self, key: Key, ref: Ref, manifest: Manifest) -> Failure | None:
        """Return the failure of the very same write, unless it is time to try it again."""
        refusal = self._known.get(key, {}).get(ref)
        if refusal is None or self._clock() >= refusal.until:
            return None
        return refusal.failure if refusal.manifest == fingerprint(manifest) else None

    def add(self, key: Key, ref: Ref, manifest: Manifest, error: ApiError) -> Failure:
        """Remember a refused write."""
        known = self._known.setdefault(key, {})
        times = known[ref].times + 1 if ref in known else 0
        seconds = delay(times, FIRST_SECONDS, LONGEST_SECONDS)
        failure = Failure(ref, error.status, describe(error))
        known[ref] = _Refusal(failure, fingerprint(manifest), times, self._clock() + seconds)
        return failure

    def drop(self, key: Key, ref: Ref) -> None:
        """Forget a refusal after the write went through."""
        self._known.get(key, {}).pop(ref, None)

    def keep_only(self, key: Key, refs: Iterable[Ref]) -> None:
        """Forget the refusals of objects that are no longer planned."""
        known = self._known.get(key, {})
        for ref in known.keys() - set(refs):
            del known[ref]

    def forget(self, key: Key) -> None:
        """Forget a system."""
        self._known.pop(key, None)

    def due_in(self, key: Key) -> float | None:
        """Return the seconds until the first refused write is to be tried again."""
        known = self._known.get(key)
        if not known:
            return None
        seconds = min(refusal.until for refusal in known.values()) - self._clock()
        return max(SOONEST_SECONDS, seconds)


def describe(error: ApiError) -> str:
    """Say in one line what was refused, the fields first."""
    fields = "; ".join(f"{cause.field}: {cause.message}" for cause in error.causes if cause.field)
    return fields or error.message


def fingerprint(manifest: Manifest) -> bytes:
    """Return 16 bytes that two manifests have in common if and only if they are equal."""
    text = orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=16).digest()
