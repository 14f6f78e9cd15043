"""Restores of a backed up system, at one step."""

import json
from datetime import timedelta
from typing import Any

from trading_operator.api.restore import RestoreSpec
from trading_operator.manifests.metadata import Owner
from trading_operator.observe.restore import restore_status
from trading_operator.plan.backup.case import Case, JobFacts
from trading_operator.plan.observed import Observed
from trading_operator.plan.restore.case import RestoreCase, SystemState
from trading_operator.plan.restore.plan import RestorePlan, plan_restore
from trading_operator.plan.types import Applied
from unit.operator_pure.backup.cases import OPERAND, case_of, remembering, settled
from unit.operator_pure.systems import NOW

RESTORE = Owner("tradingoperator.io/v1alpha1", "Restore", "back", "desk", "uid-r", 1)
READY = {"db": "Ready", "cache": "Ready", "trader": "Stopped"}
SETS = {"lastSets": [{"id": "20260102T030000Z", "kind": "Full", "job": "j"}]}
LATER = NOW + timedelta(minutes=5)
SAID = {"outcome": "Succeeded", "set": "20260102T030000Z", "rtoSeconds": 9}


def case(backup: Case | None = None, **fields: Any) -> RestoreCase:
    """A Restore of the newest set of a backup that is proven; fields are of its spec."""
    spec = RestoreSpec.model_validate({"backup": "nightly", **fields})
    return RestoreCase(
        owner=RESTORE,
        spec=spec,
        observed=Observed(),
        operand=OPERAND,
        backup=backup or remembering(settled(case_of()), **SETS),
        system=SystemState("Proven", READY),
    )


def step(of: RestoreCase) -> RestorePlan:
    """What the Restore does now."""
    return plan_restore(of, NOW)


def job(outcome: str = "Running", said: Any = None) -> JobFacts:
    """Its Job, and what that said last."""
    ended = "" if outcome == "Running" else "2026-01-02T03:04:00Z"
    words = "" if said is None else json.dumps(said)
    return JobFacts("back-restore", "Restore", outcome=outcome, ended_at=ended, words=words)


def status_of(made: RestorePlan, of: RestoreCase, previous: Any = None) -> dict[str, Any]:
    """The status of such a step."""
    return restore_status(Applied(made.plan, {}), made, of, previous, NOW)
