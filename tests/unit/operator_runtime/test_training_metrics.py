"""What the metrics tell of ModelTrainingJobs."""

from typing import Any

import pytest

from trading_operator.controllers import kind_metrics
from trading_operator.controllers.kind_metrics import (
    TRAINING_TYPES,
    read_kind_conditions,
    read_numbers,
    read_waits,
)
from trading_operator.controllers.training_jobs import Trainings, read_facts
from trading_operator.kube.resources import MODEL_TRAINING_JOBS
from trading_operator.plan.moments import read_moment

NOON, LATER = "2026-12-01T12:00:00Z", "2026-12-01T13:00:00Z"
CHAMPION = {"id": "v1", "digest": "a" * 64, "file": "v1", "format": "lightgbm", "since": NOON}
RUN = {"number": 1, "recipe": "r", "outcome": "Running"}


def build_training(
    name: str, status: dict[str, Any], promotion: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Build a ModelTrainingJob's body with this status."""
    spec = {"system": "desk", "model": {"type": "lightgbm", "timeframe": "1d"}}
    return {
        "metadata": {"namespace": "ns", "name": name, "uid": f"u-{name}", "resourceVersion": "1"},
        "spec": spec | ({"promotion": promotion} if promotion else {}),
        "status": status,
    }


def known(*bodies: dict[str, Any]) -> Trainings:
    """Build the ModelTrainingJobs that an operator knows."""
    found = Trainings(MODEL_TRAINING_JOBS.kind, read_facts, lambda _: None, lambda _: None)
    for body in bodies:
        found.take_event("ADDED", body)
    return found


def seconds(text: str) -> float:
    """Return a moment as seconds since the epoch."""
    moment = read_moment(text)
    assert moment is not None
    return moment.timestamp()


def entries(*events: tuple[str, str]) -> list[dict[str, Any]]:
    """Build a promotion history of events and times."""
    return [
        {"sequence": number, "event": event, "version": "v1", "at": at}
        for number, (event, at) in enumerate(events, start=1)
    ]


def test_a_training_that_is_new_has_no_times_and_runs_nothing() -> None:
    facts = read_facts(build_training("daily", {}))
    assert facts.last_success is facts.promoted_at is facts.expires_at is None
    assert facts.last_rollback is None
    assert (facts.is_running, facts.waits_for, facts.rolled_back) == (False, "", 0)


def test_a_success_is_told_by_the_end_of_its_run_and_a_failure_is_none() -> None:
    run = {**RUN, "outcome": "Succeeded", "endedAt": NOON}
    assert read_facts(build_training("daily", {"run": run})).last_success == seconds(NOON)
    failed = {**run, "outcome": "Failed"}
    assert read_facts(build_training("daily", {"run": failed})).last_success is None


def test_why_a_run_waits_is_told_while_it_does() -> None:
    waiting = {"run": RUN, "phase": "Waiting", "summary": "NoMatchingDevice"}
    training = {"run": RUN, "phase": "Training", "summary": "45% (20s left)"}
    trainings = known(build_training("daily", waiting), build_training("deep", training))
    told = dict(read_waits(trainings, lambda facts: facts.waits_for))
    assert told == {("ns", "daily", "NoMatchingDevice"): 1.0}
    running = dict(read_numbers(trainings, lambda facts: facts.is_running))
    assert running == {("ns", "daily"): 1.0, ("ns", "deep"): 1.0}


def test_a_model_expires_by_the_age_that_the_spec_says() -> None:
    promotion, status = {"service": "strategy"}, {"champion": CHAMPION}
    aged = build_training("daily", status, {**promotion, "expireAfter": "1h"})
    assert read_facts(aged).expires_at == seconds(LATER)
    assert read_facts(build_training("daily", status, promotion)).expires_at is None


def test_the_time_of_the_newest_way_back_outlives_older_entries() -> None:
    both = entries(("RolledBack", NOON), ("Promoted", NOON), ("RolledBack", LATER))
    facts = read_facts(build_training("daily", {"promotionHistory": both}))
    assert (facts.rolled_back, facts.last_rollback) == (2, seconds(LATER))
    facts = read_facts(build_training("daily", {"promotionHistory": both[1:]}))
    assert (facts.rolled_back, facts.last_rollback) == (1, seconds(LATER))


def test_what_another_hand_wrote_into_the_status_tells_of_nothing() -> None:
    facts = read_facts(build_training("daily", {"run": "nonsense", "phase": "Waiting"}))
    assert (facts.is_running, facts.waits_for) == (False, "")


def test_the_series_of_trainings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind_metrics, "LIMIT", 2)
    conditions = [{"type": "Ready", "status": "True"}]
    waiting = {"phase": "Waiting", "conditions": conditions, "summary": "DeviceBusy"}
    trainings = known(*(build_training(f"t{number}", waiting) for number in range(5)))
    first = {"t0", "t1"}
    assert {key[1] for key, _ in read_kind_conditions(trainings, TRAINING_TYPES)} == first
    assert {key[1] for key, _ in read_waits(trainings, lambda facts: facts.waits_for)} == first
    assert {key[1] for key, _ in read_numbers(trainings, lambda facts: facts.is_running)} == first
