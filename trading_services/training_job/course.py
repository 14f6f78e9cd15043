"""The course of a training: stage after stage, chunk after chunk, saved on the way.

A step is one chunk of trees, or an epoch. Steps are numbered over all stages, and what a stage
scored is part of every later checkpoint: whoever goes on from one ends with the same bytes.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trading_services.contract.logs import get_logger
from trading_services.training_job.attempts import Attempt
from trading_services.training_job.checkpoints import CheckpointStore, Saved
from trading_services.training_job.errors import StoppedError
from trading_services.training_job.figures import describe_metrics
from trading_services.training_job.stages import Stage, Work
from trading_services.training_job.trainers import Trainer

_STATE, _MODEL = "state.json", "model"

_log = get_logger(__name__)


@dataclass
class State:
    """How far the training is: all that the rest of it depends on."""

    stage: int = 0
    chunk: int = 0
    model: bytes = b""  # of the stage that is under way, as its trainer keeps it
    results: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_files(self, recipe: str) -> dict[str, bytes]:
        """Return the files of a checkpoint."""
        told = {
            "recipe": recipe,
            "stage": self.stage,
            "chunk": self.chunk,
            "results": self.results,
        }
        return {_STATE: json.dumps(told, sort_keys=True).encode(), _MODEL: self.model}


def read_state(files: dict[str, bytes], recipe: str) -> State | None:
    """Return the state of a checkpoint; None of one that is of another training."""
    try:
        told = json.loads(files[_STATE])
        if told["recipe"] != recipe:
            return None
        return State(told["stage"], told["chunk"], files[_MODEL], told["results"])
    except (KeyError, ValueError, TypeError):
        return None


@dataclass
class Pace:
    """What the progress is computed from; seconds are of this attempt alone."""

    steps: int
    step: int = 0
    began_at: int = 0
    started: float = field(default_factory=time.monotonic)
    checkpoint_seconds: float = 0.0
    checkpoints: int = 0

    @property
    def seconds(self) -> float:
        """How long this attempt has worked."""
        return time.monotonic() - self.started

    def remaining(self) -> int | None:
        """Return the seconds that are left, by the pace so far."""
        done = self.step - self.began_at
        return None if done <= 0 else round(self.seconds / done * (self.steps - self.step))


class Course:
    """Runs the stages; `on_step` hears of every finished step."""

    def __init__(
        self,
        work: Work,
        stages: list[Stage],
        trainer: Trainer,
        recipe: str,
        saving: "Saving",
        on_step: Callable[["Course"], None] = lambda _: None,
    ) -> None:
        """Start where the newest whole checkpoint of the same recipe is, or at the beginning."""
        self.work, self.stages, self.trainer = work, stages, trainer
        self.state, self.saving = State(), saving
        self.saved: Saved | None = None
        self._recipe, self.on_step = recipe, on_step
        self.pace = Pace(len(stages) * trainer.chunks)
        self._resume()

    @property
    def stage_name(self) -> str:
        """Name what it does now, for people."""
        if self.state.stage >= len(self.stages):
            return "Registering"
        stage = self.stages[self.state.stage]
        same = sum(each.kind is stage.kind for each in self.stages)
        return f"{stage.kind.value} {stage.number} of {same}"

    def run(self) -> None:
        """Run all stages that are left; raises StoppedError, FencedError, PermanentError."""
        while self.state.stage < len(self.stages):
            stage, trainer = self.stages[self.state.stage], self.trainer
            if self.state.chunk < trainer.chunks:
                sheet = self.work.training(stage)
                self.state.model = trainer.train_chunk(sheet, self.state.model, self.state.chunk)
                self.state.chunk += 1
                self._count()
            if self.state.chunk == trainer.chunks:
                self._end_stage(stage)
            self._save_if_due()
        # What is done stays done while the database that it is registered in is away.
        if self.saved is None or self.saved.step < self.pace.step:
            self._save()
        _log.info(
            "checkpoint cost",
            seconds=round(self.pace.checkpoint_seconds, 4),
            of_seconds=round(self.pace.seconds, 4),
            share=round(self.pace.checkpoint_seconds / max(self.pace.seconds, 1e-9), 6),
            checkpoints=self.pace.checkpoints,
        )

    @property
    def final_file(self) -> bytes:
        """The file that is registered, once all stages are done."""
        return self.trainer.export(self.state.model, self.work.dataset.feature_names)

    def _end_stage(self, stage: Stage) -> None:
        scores = self.trainer.score(self.state.model, self.work.test(stage))
        self.state.results[stage.name] = self.work.judge(stage, scores)
        is_last = self.state.stage == len(self.stages) - 1
        self.state.stage += 1
        if not is_last:
            self.state.chunk, self.state.model = 0, b""

    def _count(self) -> None:
        self.pace.step = self.state.stage * self.trainer.chunks + self.state.chunk
        self.saving.attempt.note_step(self.pace.step)
        self.on_step(self)

    def _save_if_due(self) -> None:
        stopping = self.saving.should_stop()
        if stopping or self.saving.is_due():
            self._save()
        if stopping:
            raise StoppedError(f"stopped at step {self.pace.step}, which is saved")

    def _save(self) -> None:
        began = time.monotonic()
        files = self.state.to_files(self._recipe)
        self.saved = self.saving.store.write(self.pace.step, files)
        self.pace.checkpoints += 1
        self.pace.checkpoint_seconds += time.monotonic() - began
        self.saving.note()

    def _resume(self) -> None:
        found = self.saving.store.read_newest(lambda files: read_state(files, self._recipe))
        if found is not None:
            self.saved, self.state = found
            self.pace.step = self.pace.began_at = self.saved.step
        self.saving.attempt.note_start(self.pace.step)
        self.saving.attempt.note_step(self.pace.step)
        _log.info("training begins", attempt=self.saving.attempt.number, from_step=self.pace.step)


@dataclass
class Saving:
    """When and where checkpoints are written."""

    store: CheckpointStore
    attempt: Attempt
    every_seconds: float
    should_stop: Callable[[], bool] = lambda: False
    last: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        """Tell whether the last checkpoint is old enough."""
        return time.monotonic() - self.last >= self.every_seconds

    def note(self) -> None:
        """Remember that one was written now."""
        self.last = time.monotonic()


def describe(course: Course, told: dict[str, Any]) -> dict[str, Any]:
    """Return how far it is, as the operator reads it; `told` is what the attempts say."""
    pace = course.pace
    return {
        "stage": course.stage_name,
        "step": pace.step,
        "steps": pace.steps,
        "percent": min(100, pace.step * 100 // max(pace.steps, 1)),
        "remainingSeconds": pace.remaining(),
        "metrics": describe_metrics(_newest_metrics(course.state.results)),
        "checkpoint": None if course.saved is None else course.saved.as_dict(),
        **told,
    }


def _newest_metrics(results: dict[str, dict[str, float]]) -> dict[str, float]:
    folds = [found for name, found in results.items() if name.startswith("Fold-")]
    return folds[-1] if folds else {}
