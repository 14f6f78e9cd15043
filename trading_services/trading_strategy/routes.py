"""The routes that a service which sends orders has besides the probes."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from trading_services.contract.logs import get_logger
from trading_services.database.connection import Database
from trading_services.trading_strategy.book import Book
from trading_services.trading_strategy.controls import Controls, DrainMode
from trading_services.trading_strategy.desk import Desk
from trading_services.trading_strategy.halts import delete_halt, write_halt
from trading_services.trading_strategy.model_shelf import ModelShelf

_log = get_logger(__name__)


class DrainRequest(BaseModel):
    """The body of POST /drain; an empty one means these defaults."""

    model_config = ConfigDict(extra="forbid")

    mode: DrainMode = DrainMode.CANCEL_ORDERS
    deadline_seconds: Annotated[float, Field(gt=0, le=300, alias="deadlineSeconds")] = 20


class HaltRequest(BaseModel):
    """The body of POST /halt."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=500)] = "asked by a person"


@dataclass(frozen=True)
class DeskRoutes:
    """The endpoints; each runs in a thread of the server's pool."""

    database: Database
    desk: Desk
    controls: Controls
    shelf: ModelShelf
    strategy: str

    def build(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/positions", self.positions, methods=["GET"]),
            Route("/models", self.models, methods=["GET"]),
            Route("/drain", _with_body(DrainRequest, self.drain), methods=["POST"]),
            Route("/halt", _with_body(HaltRequest, self.halt), methods=["POST"]),
            Route("/halt", self.release, methods=["DELETE"]),
        ]

    def positions(self, _: Request) -> JSONResponse:
        """Return the open positions; only with `complete` true may an empty list mean flat."""
        return JSONResponse(self._positions())

    def models(self, _: Request) -> JSONResponse:
        """Return the selected models, with what each did since it was selected."""
        return JSONResponse({"models": self.shelf.selected.describe()})

    def drain(self, body: DrainRequest) -> JSONResponse:
        """Stop deciding and wait until working orders are as the mode wants them."""
        _log.warning("drain asked", mode=body.mode)
        self.controls.drain(body.mode)
        drained = self.controls.drained.wait(body.deadline_seconds)
        content = {"drained": drained, "mode": body.mode, "positions": self._positions()}
        return JSONResponse(content, status_code=200 if drained else 503)

    def halt(self, body: HaltRequest) -> JSONResponse:
        """Halt entries at once and latch it in the database."""
        self.controls.halt(body.reason)
        write_halt(self.database, self.strategy, body.reason)
        _log.warning("halt asked", reason=body.reason)
        return JSONResponse({"halted": True, "reason": body.reason})

    def release(self, _: Request) -> JSONResponse:
        """Release the halt; the desk notices at its next turn."""
        released = delete_halt(self.database, self.strategy)
        self.controls.release()
        _log.warning("halt released", was_halted=released)
        return JSONResponse({"halted": False, "released": released})

    def _positions(self) -> dict[str, Any]:
        books = list(self.desk.books.values())
        return {
            "asOf": datetime.now(UTC).isoformat(),
            "complete": self.desk.reconciled_at is not None,
            "items": [item for book in books if (item := _build_item(book)) is not None],
            "workingOrders": sum(1 for book in books if book.working is not None),
        }


def _build_item(book: Book) -> dict[str, str] | None:
    position = book.position
    if position is None:
        return None
    return {
        "symbol": book.market.symbol,
        "timeframe": book.market.timeframe,
        "positionId": position.position_id,
        "shares": str(position.shares),
        "entryPrice": str(position.entry_price),
        "entryTime": position.entry_time.isoformat(),
        "stopPrice": str(position.protection.stop_price),
        "targetPrice": str(position.protection.target_price),
    }


def _with_body(model: Any, endpoint: Any) -> Any:
    """Give the endpoint its parsed body in a pool thread, or answer 422 with what is wrong."""

    async def parsed(request: Request) -> JSONResponse:
        from starlette.concurrency import run_in_threadpool

        raw = await request.body()
        try:
            body = model.model_validate(json.loads(raw) if raw.strip() else {})
        except (ValidationError, json.JSONDecodeError) as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        answer: JSONResponse = await run_in_threadpool(endpoint, body)
        return answer

    return parsed
