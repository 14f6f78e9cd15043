"""The controller's own routes: the whole system's status, pause and resume."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from json import JSONDecodeError, dumps, loads
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from trading_services.contract.logs import get_logger
from trading_services.database.connection import UNAVAILABLE, Database
from trading_services.system_controller.components import (
    CONTROLLED,
    ComponentStatus,
    read_components,
    write_order,
)
from trading_services.system_controller.market_hours import Market
from trading_services.system_controller.pipeline import read_pipeline
from trading_services.system_controller.worker import find_market_states

_log = get_logger(__name__)


class Order(BaseModel):
    """The body of pause and resume; it may be absent."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=500)] = ""


def build_routes(
    database: Database, markets: Sequence[Market], silent_after_seconds: float
) -> list[Route]:
    """Return GET /status and POST /components/{name}/pause and /resume."""

    def status(_: Request) -> Response:
        return _answer(lambda: _read_status(database, markets, silent_after_seconds))

    async def order(request: Request) -> Response:
        name, verb = request.path_params["name"], request.path_params["verb"]
        body = await request.body()
        return await run_in_threadpool(_give_order, database, name, verb, body)

    return [
        Route("/status", status),
        Route("/components/{name}/{verb:str}", order, methods=["POST"]),
    ]


def _answer(read: Callable[[], Any]) -> Response:
    try:
        content = read()
    except UNAVAILABLE as error:
        return JSONResponse({"error": f"database unavailable: {str(error).strip()}"}, 503)
    return Response(dumps(content, default=_to_json), media_type="application/json")


def _read_status(
    database: Database, markets: Sequence[Market], silent_after_seconds: float
) -> dict[str, Any]:
    pipeline = read_pipeline(database, markets)
    states = find_market_states(markets, pipeline, datetime.now(UTC))
    components = [_show(component, silent_after_seconds) for component in read_components(database)]
    return {
        "components": components,
        "pipeline": [{**asdict(lag), "seconds_behind": lag.seconds_behind} for lag in pipeline],
        "markets": [asdict(state) for state in states],
    }


def _show(component: ComponentStatus, silent_after_seconds: float) -> dict[str, Any]:
    return {**asdict(component), "alive": component.alive(silent_after_seconds)}


def _give_order(database: Database, name: str, verb: str, body: bytes) -> Response:
    desired = {"pause": "Paused", "resume": "Running"}.get(verb)
    if name not in CONTROLLED or desired is None:
        known = {"components": CONTROLLED, "verbs": ("pause", "resume")}
        return JSONResponse({"error": f"no such order: {name}/{verb}", **known}, 404)
    try:
        order = Order.model_validate(loads(body) if body else {})
    except (JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        return JSONResponse({"error": f"body: {error}"}, 400)
    return _answer(lambda: _write(database, name, desired, order.reason))


def _write(database: Database, name: str, desired: str, reason: str) -> dict[str, Any]:
    state, kept_reason, updated_at = write_order(database, name, desired, reason)
    _log.info("order given", controlled=name, desired_state=state, reason=kept_reason)
    return {
        "component": name,
        "desired_state": state,
        "reason": kept_reason,
        "updated_at": updated_at,
    }


def _to_json(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
