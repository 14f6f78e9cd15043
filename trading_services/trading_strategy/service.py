"""The trading-strategy service: puts the desk, the paper venue and the routes together."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from trading_services.contract.config import read_config
from trading_services.contract.errors import ConfigError
from trading_services.contract.readiness import ReadinessCheck
from trading_services.contract.service import Component, Runtime, Service
from trading_services.contract.settings import ServiceSettings
from trading_services.feature_engineering.schema import (
    feature_names,
    feature_schema_hash,
    read_feature_config,
)
from trading_services.paper_broker.fills import CostModel
from trading_services.paper_broker.venue import PaperBroker
from trading_services.trading_strategy.broker import Broker
from trading_services.trading_strategy.config import StrategyConfig
from trading_services.trading_strategy.controls import Controls
from trading_services.trading_strategy.decisions import Trader
from trading_services.trading_strategy.desk import Desk, DeskParts
from trading_services.trading_strategy.journal import Journal
from trading_services.trading_strategy.model_shelf import ModelShelf
from trading_services.trading_strategy.routes import DeskRoutes
from trading_services.trading_strategy.selection import SelectionFile
from trading_services.trading_strategy.trading_state import StateFile
from trading_services.trading_strategy.worker import StrategyMetrics, StrategyWorker


class StrategySettings(ServiceSettings):
    """The environment of trading-strategy."""

    models_dir: Path = Path("/app/models")
    trading_state_file: Path | None = None
    trading_component: str = "trading-strategy"

    @property
    def selection_path(self) -> Path | None:
        """The file that names the models to trade with: beside the trading state."""
        if self.trading_state_file is None:
            return None
        return self.trading_state_file.parent / f"{self.trading_component}.models.json"


BrokerFactory = Callable[[Runtime[StrategySettings], StrategyConfig], Broker]


def build_paper_broker(runtime: Runtime[StrategySettings], config: StrategyConfig) -> Broker:
    """Return the paper venue; Live is refused, for no live venue is built in."""
    if runtime.settings.trading_mode != "Paper":
        raise ConfigError(
            "environment", "TRADING_MODE", "only Paper has a venue; set the system's mode to Paper"
        )
    # A connection of its own: the venue is another party, whose work ours must not undo.
    return PaperBroker(runtime.database.connect, config.name, build_costs(config))


def build_costs(config: StrategyConfig) -> dict[str, CostModel]:
    """Return the venue's cost model of every timeframe that is traded."""
    return {
        timeframe: CostModel(
            rules.costs.commission_bps, rules.costs.slippage_bps, rules.costs.minimum_commission
        )
        for timeframe, rules in config.rules.items()
    }


def build_service(
    runtime: Runtime[StrategySettings], broker_factory: BrokerFactory = build_paper_broker
) -> Service:
    """Read the configuration and build the desk around the broker."""
    settings = runtime.settings
    config = read_config(settings.config_dir / "strategy_config.json", StrategyConfig)
    features = read_feature_config(settings.config_dir)
    metrics = StrategyMetrics(runtime.registry)
    controls = Controls(StateFile(settings.trading_state_file))
    shelf = ModelShelf(
        runtime.database,
        settings.models_dir,
        feature_schema_hash(features),
        feature_names(features),
        SelectionFile(settings.selection_path),
    )
    desk = Desk(
        DeskParts(
            database=runtime.database,
            journal=Journal(runtime.database.connect, config.name, _build_holder(settings)),
            broker=broker_factory(runtime, config),
            shelf=shelf,
            controls=controls,
            config=config,
            trader=Trader(settings.trading_system, config.name),
            feature_names=feature_names(features),
            stopping=runtime.stopping,
            on_decision=metrics.count,
        )
    )
    worker = StrategyWorker(desk, shelf, controls, metrics, config.poll_seconds)
    return Service(
        worker,
        checks=_build_checks(worker, desk, shelf),
        routes=DeskRoutes(runtime.database, desk, controls, shelf, config.name).build(),
        step_paused=worker.step_paused,
    )


def _build_checks(worker: StrategyWorker, desk: Desk, shelf: ModelShelf) -> list[ReadinessCheck]:
    return [
        ReadinessCheck("fence", worker.why_fenced),
        ReadinessCheck("model", shelf.why_unusable),
        ReadinessCheck("reconciled", desk.why_not_reconciled),
        ReadinessCheck("rules", desk.why_stranded),
        ReadinessCheck("features", desk.why_not_fresh, skipped_when_paused=True),
    ]


def _build_holder(settings: StrategySettings) -> str:
    return f"{settings.pod_name or socket.gethostname()}/{os.getpid()}"


COMPONENT = Component(
    name="trading-strategy", port=8004, settings=StrategySettings, build=build_service
)
