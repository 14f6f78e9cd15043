"""Posts Events of a system in the background; no pass waits for them or fails with them."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trading_operator.kube.errors import ApiError, NotLeadingError
from trading_operator.kube.resources import EVENTS
from trading_operator.kube.transport import MERGE_PATCH, Call, Transport
from trading_operator.metrics import Metrics
from trading_operator.observe.event_text import EventText

REPORTER = "tradingoperator.io/trading-operator"
WAITING = 1000
REMEMBERED = 4096
SERIES_SECONDS = 600.0
NOTE_LENGTH = 1024

_log = logging.getLogger(__name__)
Body = Mapping[str, Any]


@dataclass
class _Series:
    name: str
    count: int
    last: float


class EventPoster:
    """Posts each change once; the same one again within minutes counts up the first Event."""

    def __init__(self, transport: Transport, instance: str, metrics: Metrics) -> None:
        self._transport = transport
        self._instance = instance
        self._metrics = metrics
        self._waiting: asyncio.Queue[tuple[Body, EventText]] = asyncio.Queue(WAITING)
        self._posted: OrderedDict[tuple[str, EventText], _Series] = OrderedDict()

    def post(self, body: Body, texts: Iterable[EventText]) -> None:
        """Put the Events of a system in line; when the line is full they are dropped."""
        for text in texts:
            try:
                self._waiting.put_nowait((body, text))
            except asyncio.QueueFull:
                self._metrics.events_dropped.inc()

    async def run(self) -> None:
        """Post what is in line, for ever."""
        while True:
            body, text = await self._waiting.get()
            try:
                await self._send(body, text)
            except ApiError as error:
                self._metrics.events_dropped.inc()
                _log.log(error.log_level, "event not posted", extra={"error": str(error)})
            except NotLeadingError:
                self._metrics.events_dropped.inc()

    async def _send(self, body: Body, text: EventText) -> None:
        known = (body["metadata"]["uid"], text)
        series = self._posted.get(known)
        if series is not None and time.monotonic() - series.last < SERIES_SECONDS:
            await self._count_up(body, series)
        else:
            event = self._build(body, text)
            series = _Series(event["metadata"]["name"], 1, 0.0)
            await self._create(event)
        series.last = time.monotonic()
        self._posted[known] = series
        self._posted.move_to_end(known)
        if len(self._posted) > REMEMBERED:
            self._posted.popitem(last=False)

    async def _create(self, event: dict[str, Any]) -> None:
        namespace = event["metadata"]["namespace"]
        try:
            await self._transport.send(Call("create", EVENTS, namespace, body=event))
        except ApiError as error:
            if error.reason != "AlreadyExists":  # else an attempt went through unnoticed
                raise

    async def _count_up(self, body: Body, series: _Series) -> None:
        series.count += 1
        patch = {"series": {"count": series.count, "lastObservedTime": _now()}}
        namespace = body["metadata"]["namespace"]
        await self._transport.send(
            Call(
                "patch",
                EVENTS,
                namespace,
                series.name,
                body=patch,
                content_type=MERGE_PATCH,
            )
        )

    def _build(self, body: Body, text: EventText) -> dict[str, Any]:
        metadata = body["metadata"]
        # One name for one change: a second attempt to post it finds the first one.
        change = f"{metadata['uid']}/{metadata['resourceVersion']}/{text}"
        suffix = hashlib.sha256(change.encode()).hexdigest()[:16]
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {
                "name": f"{metadata['name']}.{suffix}",
                "namespace": metadata["namespace"],
            },
            "eventTime": _now(),
            "reportingController": REPORTER,
            "reportingInstance": self._instance[:128],
            "action": "Reconcile",
            "type": text.type,
            "reason": text.reason,
            "note": _note(text),
            "regarding": {
                "apiVersion": body["apiVersion"],
                "kind": body["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        }


def _note(text: EventText) -> str:
    note = f"{text.component}: {text.message}" if text.component else text.message
    return note if len(note) < NOTE_LENGTH else f"{note[: NOTE_LENGTH - 2]}…"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
