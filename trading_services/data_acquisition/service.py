"""Data acquisition as a component (port 8001)."""

from trading_services.contract.readiness import ReadinessCheck
from trading_services.contract.service import Component, Runtime, Service
from trading_services.data_acquisition.config import DataAcquisitionSettings, read_data_config
from trading_services.data_acquisition.raw_copies import RawCopies
from trading_services.data_acquisition.recorded_provider import read_recorded_provider
from trading_services.data_acquisition.worker import DataMetrics, DataWorker

_SHORTEST_REST_SECONDS = 0.2
_SHORTEST_FRESHNESS_SECONDS = 10.0


def build_service(runtime: Runtime[DataAcquisitionSettings]) -> Service:
    """Read the record and build the worker with its readiness checks."""
    settings = runtime.settings
    provider = read_recorded_provider(
        read_data_config(settings.config_dir),
        settings.replay_speed,
        endless=settings.replay_on_complete == "Loop",
    )
    interval = 1 / settings.replay_speed if settings.replay_speed else 0.0
    worker = DataWorker(
        runtime.database,
        provider,
        RawCopies(settings.data_dir),
        DataMetrics(runtime.registry),
        rest_seconds=max(_SHORTEST_REST_SECONDS, min(interval, 1.0)) if interval else 0.0,
    )
    longest = max(_SHORTEST_FRESHNESS_SECONDS, 5 * interval)
    checks = [
        ReadinessCheck("history", worker.why_no_bars),
        ReadinessCheck("freshness", lambda: worker.why_stale(longest), skipped_when_paused=True),
    ]
    return Service(worker, checks)


COMPONENT = Component(
    name="data-acquisition", port=8001, settings=DataAcquisitionSettings, build=build_service
)
