"""One replica leads at a time: a Lease, renewed on the monotonic clock."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trading_operator.kube.errors import ApiError
from trading_operator.kube.resources import LEASES
from trading_operator.kube.transport import Call, Transport

Monotonic = Callable[[], float]
# Goes on while the machine sleeps; absent outside of Linux.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
# Looked at this many seconds after a Lease ran out, so that it surely has.
_LATE_SECONDS = 0.02
_log = logging.getLogger(__name__)


def read_clock() -> float:
    """Return seconds of a clock that nobody sets and that a stopped process does not stop."""
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True)
class Terms:
    """The Lease and its times, in seconds: attempt < renew < lease."""

    namespace: str
    name: str
    identity: str
    lease: float = 15.0

    @property
    def renew(self) -> float:
        """Seconds after which a leader that could not renew stops leading."""
        return self.lease * 2 / 3

    @property
    def attempt(self) -> float:
        """Seconds that one request may take, and the pause between two renewals."""
        return self.lease / 6

    @property
    def unacknowledged(self) -> float:
        """Seconds after which the kernel gives up on bytes that the API server does not confirm.

        A write is sent before `renew` is over: with this it arrives before `lease` is, or never.
        """
        return self.lease / 4


class Elector:
    """Takes the Lease when it is free, keeps it, and gives it back at the end.

    Another's Lease counts as free when this process has not seen it change for its whole
    duration, also when it is deleted: no clock is compared with another machine's, and its holder
    may not know yet.
    """

    def __init__(self, transport: Transport, terms: Terms, clock: Monotonic = read_clock) -> None:
        self._transport = transport
        self._terms = terms
        self._clock = clock
        self._lease: dict[str, Any] | None = None
        self._seen: dict[str, Any] = {}  # what the Lease said last, also after its deletion
        self._taken_until = float("-inf")  # by another, as far as this process has seen
        self._valid_until = float("-inf")

    def leads(self) -> bool:
        """Whether the Lease is surely ours at this moment."""
        return self._clock() < self._valid_until

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Run `lead` whenever this replica leads; cancel it before the Lease can be another's."""
        try:
            while True:
                await self._until_held()
                await self._while_held(lead)
        finally:
            await asyncio.shield(self._release())

    async def _until_held(self) -> None:
        while True:
            if await self._try_hold():
                break
            await asyncio.sleep(self._pause())
        _log.info("leading", extra={"identity": self._terms.identity})

    def _pause(self) -> float:
        pause = self._terms.attempt * random.uniform(0.8, 1.2)
        left = self._taken_until - self._clock()
        return min(pause, left + _LATE_SECONDS) if left > 0 else pause

    async def _while_held(self, lead: Callable[[], Awaitable[None]]) -> None:
        work = asyncio.ensure_future(lead())
        try:
            while await self._renew_in_time(work):
                pass
        finally:
            self._valid_until = float("-inf")
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    async def _renew_in_time(self, work: asyncio.Future[None]) -> bool:
        pause = self._terms.attempt
        await asyncio.wait({work}, timeout=min(pause, self._remaining()))
        if work.done():
            work.result()  # an error of the work ends the process: it has no other way to end
            raise RuntimeError("the leading task ended by itself")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._remaining()):
                await self._try_hold()
        if not self.leads():
            _log.error("no longer leading", extra={"identity": self._terms.identity})
        return self.leads()

    def _remaining(self) -> float:
        return max(0.0, self._valid_until - self._clock())

    async def _try_hold(self) -> bool:
        started = self._clock()
        try:
            held = await self._claim_twice()
        except ApiError as error:
            self._lease = None if error.status in (404, 409) else self._lease
            _log.warning("lease request failed", extra={"error": str(error)})
            return False
        # Counted from before the request: the server may have taken it at any time since.
        self._valid_until = started + self._terms.renew if held else float("-inf")
        return held

    async def _claim_twice(self) -> bool:
        try:
            return await self._write_claim()
        except ApiError as error:
            if error.status not in (404, 409):
                raise
        self._lease = None  # changed or deleted under us: read at once, it may be another's
        return await self._write_claim()

    async def _write_claim(self) -> bool:
        if self._lease is None or not self._is_ours(self._lease):
            await self._read()
        if not self._is_free():
            return False
        if self._lease is None:
            self._keep(await self._send("create", self._claim({"metadata": {}, "spec": {}})))
        else:
            self._keep(await self._send("update", self._claim(self._lease)))
        return True

    async def _read(self) -> None:
        try:
            self._keep(await self._send("get", None))
        except ApiError as error:
            if error.status != 404:
                raise
            self._lease = None

    def _keep(self, lease: dict[str, Any]) -> None:
        spec = lease["spec"]
        if not spec.get("holderIdentity") or self._is_ours(lease):
            self._taken_until = float("-inf")
        elif self._seen != spec:
            duration = spec.get("leaseDurationSeconds") or self._terms.lease
            self._taken_until = self._clock() + duration
        self._lease, self._seen = lease, spec

    def _is_ours(self, lease: dict[str, Any]) -> bool:
        return bool(lease["spec"].get("holderIdentity") == self._terms.identity)

    def _is_free(self) -> bool:
        return self._clock() >= self._taken_until

    def _claim(self, lease: dict[str, Any]) -> dict[str, Any]:
        now, spec = _now(), dict(lease["spec"])
        if spec.get("holderIdentity") != self._terms.identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = spec.get("leaseTransitions", -1) + 1
        spec["holderIdentity"] = self._terms.identity
        spec["leaseDurationSeconds"] = max(1, round(self._terms.lease))
        return self._build(lease, spec | {"renewTime": now})

    def _build(self, lease: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        # With its resourceVersion, so that two replicas never both take the same free Lease.
        metadata = lease["metadata"] | {"name": self._terms.name}
        kind = {"apiVersion": LEASES.api_version, "kind": LEASES.kind}
        return {**kind, "metadata": metadata, "spec": spec}

    async def _release(self) -> None:
        self._valid_until = float("-inf")
        if self._lease is None or not self._is_ours(self._lease):
            return
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._send("update", self._build(self._lease, spec | {"renewTime": _now()}))
            _log.info("lease released")
        except ApiError as error:
            _log.warning("lease not released", extra={"error": str(error)})

    async def _send(self, verb: str, body: dict[str, Any] | None) -> dict[str, Any]:
        terms = self._terms
        answer: dict[str, Any] = await self._transport.send_once(
            Call(verb, LEASES, terms.namespace, terms.name, body=body, timeout=terms.attempt)
        )
        return answer


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
