"""A ModelTrainingJob and what may be seen of it, for the pure layers."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.api.model_training_status import (
    ModelTrainingJobStatus,
    ModelVersion,
    SelectedModel,
    TrainingPhase,
)
from trading_operator.engines.base import OperandSettings
from trading_operator.manifests.metadata import Owner
from trading_operator.observe.model_training_job import training_status
from trading_operator.plan.backup.case import Source
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.training.answers import TrainingAnswer
from trading_operator.plan.training.case import ServiceFacts, TrainingCase, TrainingJobFacts
from trading_operator.plan.training.plan import TrainingPlan, plan_training
from trading_operator.plan.training.recipe import recipe_of
from trading_operator.plan.types import Applied
from unit.operator_pure.systems import OWNER, make_spec, service

NOW = datetime(2026, 12, 1, 12, 0, 0, tzinfo=UTC)
OPERAND = OperandSettings(operator_namespace="ops", training_image="trainer:1")
CLAIM, STORE = Ref("PersistentVolumeClaim", "momentum-models"), Ref("StatefulSet", "momentum-db")
SYSTEM = make_spec(
    services=[
        service(
            "strategy",
            ports=[{"name": "http", "port": 8004}],
            volumes=[{"name": "models", "mountPath": "/app/models"}],
        )
    ],
    datastores=[{"name": "db", "engine": "TimescaleDB", "storage": {"size": "1Gi"}}],
    volumes=[{"name": "models", "size": "1Gi"}],
)


def make_training(**spec: Any) -> ModelTrainingJobSpec:
    """Build a spec whose versions are promoted by themselves."""
    return ModelTrainingJobSpec.model_validate(
        {
            "system": "momentum",
            "model": {"type": "lightgbm-direction", "timeframe": "1d"},
            "dataset": {"source": "db", "symbols": ["AAPL"]},
            "promotion": {"service": "strategy", "mode": "Auto"},
            **spec,
        }
    )


def make_owner(**commands: str) -> Owner:
    """Build the ModelTrainingJob's owner; commands are annotations."""
    named = {name.replace("_", "-"): value for name, value in commands.items()}
    return Owner(
        "tradingoperator.io/v1alpha1", "ModelTrainingJob", "daily", "desk", "uid-1", 1, named
    )


def make_case(spec: ModelTrainingJobSpec | None = None, **more: Any) -> TrainingCase:
    """Build a case of a system that has all that a training needs."""
    source = Source(OWNER, SYSTEM, {CLAIM: {}, STORE: {}})
    case = TrainingCase(
        owner=make_owner(),
        spec=spec or make_training(),
        observed=Observed(),
        operand=OPERAND,
        source=source,
        created_at="2026-12-01T11:00:00Z",
        service=ServiceFacts(ready=True),
    )
    return replace(case, **more)


def make_version(name: str = "v1") -> ModelVersion:
    """Build a version."""
    return ModelVersion(id=name, digest=name.ljust(64, "0"), file=f"{name}.txt", format="lightgbm")


def make_selected(name: str = "v1") -> SelectedModel:
    """Build a version that is traded."""
    return SelectedModel(id=name, digest=name.ljust(64, "0"), file=f"{name}.txt", format="lightgbm")


def make_answer(**more: Any) -> TrainingAnswer:
    """Build what a program says that trained a version."""
    told = {
        "outcome": "Succeeded",
        "version": {"id": "v1", "digest": "a" * 64, "file": "v1.txt", "format": "lightgbm"},
        "metrics": {"oosSharpe": "0.7", "oosAuc": "0.55"},
        "leakage": [{"check": "LabelShuffle", "passed": True, "value": "0", "bound": "1"},
                    {"check": "FutureShift", "passed": True, "value": "0", "bound": "1"}],
        **more,
    }  # fmt: skip
    return TrainingAnswer.model_validate(told)


class World:
    """A ModelTrainingJob over several passes: what a pass makes is there in the next one."""

    def __init__(self, spec: ModelTrainingJobSpec | None = None) -> None:
        self.spec, self.now = spec or make_training(), NOW
        self.jobs: list[TrainingJobFacts] = []
        self.status: dict[str, Any] = {}
        self.more: dict[str, Any] = {}
        self.deleted: list[str] = []

    @property
    def parsed(self) -> ModelTrainingJobStatus:
        """Return the status as the operator reads it back."""
        return ModelTrainingJobStatus.model_validate({**self.status, "conditions": []})

    def phase(self) -> TrainingPhase:
        """Return the phase that the status tells."""
        return self.parsed.phase

    def look(self) -> TrainingPlan:
        """Plan a pass, and write nothing."""
        return plan_training(self._case(), self.now)

    def step(self, *, lose_status: bool = False, seconds: float = 1) -> TrainingPlan:
        """Make a pass; with `lose_status` its status is never written."""
        self.now += timedelta(seconds=seconds)
        case = self._case()
        planned = plan_training(case, self.now)
        for manifest in planned.plan.objects:
            if manifest["kind"] == "Job":
                self._make(manifest)
        gone = {ref.name for ref in planned.plan.prune if ref.kind == "Job"}
        self.deleted += sorted(gone)
        self.jobs = [job for job in self.jobs if job.name not in gone]
        if not lose_status:
            applied = Applied(planned.plan, {}, (), 0)
            self.status = training_status(applied, planned, case, self.status, self.now)
        return planned

    def change(self, **facts: Any) -> None:
        """Change what is seen of the newest Job."""
        self.jobs[-1] = replace(self.jobs[-1], **facts)

    def run_program(self) -> None:
        """Let the program of the newest Job begin."""
        self.change(pods=1, scheduled=True, address="10.0.0.9", began_at=self.time)

    def end(self, answer: TrainingAnswer | None = None, outcome: str = "Succeeded") -> None:
        """Let the newest Job end with an answer."""
        words = "" if answer is None else json.dumps(
            answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        )  # fmt: skip
        self.change(
            outcome=outcome, words=words, ended_at=self.time, stopped_at=self.time, address=""
        )

    @property
    def time(self) -> str:
        """Return the time of now as the API writes it."""
        return f"{self.now:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def launches(self) -> list[tuple[str, str]]:
        """Return device and outcome of the newest run's launches."""
        run = self.parsed.run
        return [] if run is None else [(each.device, each.outcome.value) for each in run.launches]

    def _case(self) -> TrainingCase:
        return make_case(self.spec, jobs=tuple(self.jobs), before=self.parsed, **self.more)

    def _make(self, manifest: dict[str, Any]) -> None:
        labels = manifest["metadata"]["labels"]
        name = manifest["metadata"]["name"]
        if any(job.name == name for job in self.jobs):
            return
        self.jobs.append(
            TrainingJobFacts(
                name=name,
                run=int(labels["tradingoperator.io/run"]),
                launch=int(labels["tradingoperator.io/launch"]),
                recipe=labels["tradingoperator.io/recipe"],
                device=labels["tradingoperator.io/device"],
                created_at=self.time,
            )
        )
        assert labels["tradingoperator.io/recipe"] == recipe_of(self.spec)
