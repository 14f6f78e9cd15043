"""The system controller as a component (port 8000); it alone applies the migrations."""

from typing import Annotated

from pydantic import Field

from trading_services.contract.service import Component, Runtime, Service
from trading_services.contract.settings import ServiceSettings
from trading_services.system_controller.market_hours import read_market_hours
from trading_services.system_controller.routes import build_routes
from trading_services.system_controller.worker import ControllerMetrics, ControllerWorker


class SystemControllerSettings(ServiceSettings):
    """How often to look, and after how long without a beat a component counts as silent."""

    controller_poll_seconds: Annotated[float, Field(gt=0, le=60)] = 2
    silent_after_seconds: Annotated[float, Field(gt=0, le=3600)] = 15


def build_service(runtime: Runtime[SystemControllerSettings]) -> Service:
    """Read market_hours.json and build the worker and the routes."""
    settings = runtime.settings
    markets = read_market_hours(settings.config_dir).markets
    worker = ControllerWorker(
        runtime.database,
        markets,
        ControllerMetrics(runtime.registry),
        poll_seconds=settings.controller_poll_seconds,
        silent_after_seconds=settings.silent_after_seconds,
    )
    routes = build_routes(runtime.database, markets, settings.silent_after_seconds)
    return Service(worker, routes=routes)


COMPONENT = Component(
    name="system-controller",
    port=8000,
    settings=SystemControllerSettings,
    build=build_service,
    migrates=True,
)
