"""The versions of one line over several passes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from trading_operator.api.model_training_status import (
    GateResult,
    ModelTrainingJobStatus,
    ModelVersion,
    PromotionPhase,
)
from trading_operator.plan.observed import PodFacts
from trading_operator.plan.training.case import TrainingCase
from trading_operator.plan.training.promotion import PromotionPlan, plan_promotion
from trading_operator.plan.training.reports import ModelReport
from unit.operator_pure.training.worlds import (
    NOW,
    make_case,
    make_owner,
    make_training,
    make_version,
)

PASSED = (GateResult(name="oosSharpe >= 0.5", passed=True),)
FAILED = (GateResult(name="oosSharpe >= 0.5", passed=False, message="it is 0.1"),)
LIVE = {"metric": "liveSharpe", "op": ">=", "value": "0", "minBars": 20}


class Desk:
    """The versions of one line over several passes."""

    def __init__(self, **spec: Any) -> None:
        self.case: TrainingCase = make_case(make_training(**spec))
        self.version: ModelVersion | None = None
        self.now = NOW
        self.plan = PromotionPlan()

    def step(
        self, gates: tuple[GateResult, ...] | None = None, seconds: float = 1
    ) -> PromotionPlan:
        """Plan a pass from what the one before has left in the status."""
        self.now += timedelta(seconds=seconds)
        before = ModelTrainingJobStatus(
            version=self.version,
            gates=list(self.plan.gates),
            promotion=self.plan.state,
            champion=self.plan.champion,
            previous=list(self.plan.previous),
            blocked=list(self.plan.blocked),
            promotion_history=list(self.plan.history),
            handled=self.plan.handled,
        )
        # As the API server would have it: only what fits the schema is there in the next pass.
        told = ModelTrainingJobStatus.model_validate(before.model_dump(mode="json", by_alias=True))
        case = replace(self.case, before=told)
        self.plan = plan_promotion(case, self.version, gates, "0.7", self.now)
        return self.plan

    def train(self, name: str, gates: tuple[GateResult, ...] = PASSED) -> PromotionPlan:
        """Let a version be trained."""
        self.version = make_version(name)
        return self.step(gates)

    def report(self, name: str, state: str = "Loaded", **more: Any) -> None:
        """Let the service say something."""
        said = ModelReport(type="x", timeframe="1d", id=name, state=state, **more)
        self.case = replace(self.case, report=said)

    def promote(self, name: str) -> None:
        """Bring a version through to its end."""
        self.train(name)
        self.report(name)
        self.step()
        self.step(seconds=3600)
        assert self.stands() is PromotionPhase.KEPT

    def stands(self) -> PromotionPhase | None:
        """Return where the newest version stands."""
        return None if self.plan.state is None else self.plan.state.phase

    @property
    def traded(self) -> str:
        """Return what is traded."""
        return "" if self.plan.champion is None else self.plan.champion.id

    def command(self, **commands: str) -> None:
        """Annotate the ModelTrainingJob."""
        self.case = replace(self.case, owner=make_owner(**commands))


def make_pod(**facts: Any) -> PodFacts:
    """Return a pod of the service."""
    known: dict[str, Any] = {
        "name": "strategy-0",
        "component": "strategy",
        "revision": "r",
        "phase": "Running",
        "ready": True,
        "deleting": False,
        "restarts": 0,
        "reason": "",
        "message": "",
        "started": True,
    }
    return PodFacts(**{**known, **facts})
