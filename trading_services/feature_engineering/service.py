"""Feature engineering as a component (port 8002)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from trading_services.contract.readiness import ReadinessCheck
from trading_services.contract.service import Component, Runtime, Service
from trading_services.contract.settings import ServiceSettings
from trading_services.feature_engineering.schema import read_feature_config
from trading_services.feature_engineering.snapshots import Snapshots
from trading_services.feature_engineering.worker import FeatureMetrics, FeatureWorker, Pace

_SHORTEST_FRESHNESS_SECONDS = 15.0

Seconds = Annotated[float, Field(gt=0, le=3600)]


class FeatureEngineeringSettings(ServiceSettings):
    """How often to look for bars, to compare with the whole table, and to write snapshots."""

    feature_poll_seconds: Seconds = 0.5
    feature_compare_seconds: Seconds = 30
    feature_snapshot_seconds: Seconds = 30
    features_dir: Path = Path("/app/features")


def build_service(runtime: Runtime[FeatureEngineeringSettings]) -> Service:
    """Read feature_config.json and build the worker with its readiness check."""
    settings = runtime.settings
    config = read_feature_config(settings.config_dir)
    worker = FeatureWorker(
        runtime.database,
        config,
        Snapshots(settings.features_dir),
        FeatureMetrics(runtime.registry),
        Pace(
            poll=settings.feature_poll_seconds,
            compare=settings.feature_compare_seconds,
            snapshot=settings.feature_snapshot_seconds,
            beat=runtime.heartbeat.beat,
        ),
    )
    longest = max(_SHORTEST_FRESHNESS_SECONDS, 5 * settings.feature_poll_seconds)
    checks = [
        ReadinessCheck("features", worker.why_no_features),
        ReadinessCheck("freshness", lambda: worker.why_behind(longest), skipped_when_paused=True),
    ]
    return Service(worker, checks)


COMPONENT = Component(
    name="feature-engineering",
    port=8002,
    settings=FeatureEngineeringSettings,
    build=build_service,
)
