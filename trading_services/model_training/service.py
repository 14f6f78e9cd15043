"""The model-training service: waits for features, trains, registers, and keeps learning."""

import functools
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from trading_services.continuous_learning.cycle import Outcome, run_learning_cycle
from trading_services.contract.config import read_config
from trading_services.contract.errors import ConfigError
from trading_services.contract.logs import get_logger
from trading_services.contract.readiness import ReadinessCheck
from trading_services.contract.service import Component, Runtime, Service, WorkerState
from trading_services.contract.settings import ServiceSettings
from trading_services.feature_engineering.schema import (
    feature_names,
    feature_schema_hash,
    read_feature_config,
)
from trading_services.model_training.config import ModelConfig, ModelSpec
from trading_services.model_training.gpu import GpuMissingError, read_gpus
from trading_services.model_training.lightgbm_trainer import LightGBMTrainer
from trading_services.model_training.model_files import delete_leftovers
from trading_services.model_training.registry import ACTIVE, NewModel
from trading_services.model_training.training import Recipe
from trading_services.model_training.workshop import FeatureSchema, Workshop

_log = get_logger(__name__)


class TrainingSettings(ServiceSettings):
    """The environment of model-training."""

    gpu_enabled: bool = False
    models_dir: Path = Path("/app/models")


class TrainingMetrics:
    """What Prometheus hears of trainings; the labels are bounded by the configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the collectors."""
        self.registered = Counter(
            "trading_models_registered",
            "Models registered, by what became of them.",
            ["timeframe", "status"],
            registry=registry,
        )
        self.quality = Gauge(
            "trading_model_out_of_sample",
            "Mean out-of-sample metric of the active model.",
            ["timeframe", "metric"],
            registry=registry,
        )

    def record(self, model: NewModel) -> None:
        """Count a registered model and show the metrics of an active one."""
        self.registered.labels(model.timeframe, model.status).inc()
        if model.status == ACTIVE:
            for name, value in model.metrics["mean"].items():
                self.quality.labels(model.timeframe, name).set(value)


@dataclass
class _Progress:
    """What is known of one model: why it is not there yet, None once it is."""

    spec: ModelSpec
    trouble: str | None = "not looked at yet"


class TrainingWorker:
    """Gives every configured model a turn of the learning loop."""

    def __init__(
        self, runtime: Runtime[TrainingSettings], config: ModelConfig, schema: FeatureSchema
    ) -> None:
        """Build one workshop a model; nothing is read yet."""
        self._runtime = runtime
        self._config = config
        self._metrics = TrainingMetrics(runtime.registry)
        self._progress = [_Progress(spec) for spec in config.models]
        self._workshops = [self._build_workshop(spec, schema) for spec in config.models]

    def start(self) -> None:
        """Clear away what an interrupted training left behind."""
        delete_leftovers(self._runtime.settings.models_dir)

    def step(self) -> float:
        """Give every model a turn and return the seconds to rest."""
        for progress, workshop in zip(self._progress, self._workshops, strict=True):
            if self._runtime.stopping.is_set():
                break
            self._runtime.heartbeat.beat()
            outcome = run_learning_cycle(workshop, self._config.learning)
            progress.trouble = _find_trouble(progress.spec, outcome)
        return self._config.poll_seconds

    def stop(self) -> None:
        """Nothing is kept open: files and rows are whole at any moment."""

    def describe(self) -> WorkerState:
        """Say which models are there."""
        detail = {
            progress.spec.timeframe: progress.trouble or "active" for progress in self._progress
        }
        return WorkerState("Running" if self.why_not_trained() is None else "Waiting", detail)

    def why_not_trained(self) -> str | None:
        """Return which model is still missing and why."""
        missing = [
            f"{progress.spec.timeframe}: {progress.trouble}"
            for progress in self._progress
            if progress.trouble is not None
        ]
        return "; ".join(missing) or None

    def _build_workshop(self, spec: ModelSpec, schema: FeatureSchema) -> Workshop:
        trainer = LightGBMTrainer(self._runtime.heartbeat.beat)
        return Workshop(
            database=self._runtime.database,
            recipe=Recipe(trainer, self._config, spec),
            schema=schema,
            models_dir=self._runtime.settings.models_dir,
            on_registered=functools.partial(_announce, self._metrics),
        )


def build_service(runtime: Runtime[TrainingSettings]) -> Service:
    """Read the configuration, check the GPU if one is asked for, and build the worker."""
    settings = runtime.settings
    config = read_config(settings.config_dir / "model_config.json", ModelConfig)
    features = read_feature_config(settings.config_dir)
    schema = FeatureSchema(feature_names(features), feature_schema_hash(features))
    if settings.gpu_enabled:
        _check_gpu()
    worker = TrainingWorker(runtime, config, schema)
    return Service(worker, checks=[ReadinessCheck("models", worker.why_not_trained)])


def _check_gpu() -> None:
    try:
        gpus = read_gpus()
    except GpuMissingError as error:
        raise ConfigError("environment", "GPU_ENABLED", str(error)) from None
    _log.info("GPU found", gpus=gpus)


def _announce(metrics: TrainingMetrics, model: NewModel) -> None:
    metrics.record(model)
    _log.info(
        "model registered",
        model_id=model.model_id,
        status=model.status,
        reason=model.note["reason"],
        comparison=model.metrics["comparison"],
        **{f"oos_{name}": round(value, 5) for name, value in model.metrics["mean"].items()},
    )


def _find_trouble(spec: ModelSpec, outcome: Outcome) -> str | None:
    if outcome.waiting_for == 0:
        return None
    return f"waiting for {outcome.waiting_for} more bars with complete features"


COMPONENT = Component(
    name="model-training", port=8003, settings=TrainingSettings, build=build_service
)
