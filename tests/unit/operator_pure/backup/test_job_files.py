"""The program in the Jobs reads every file that the operator writes for it."""

from dataclasses import replace
from typing import Any

import pytest

from trading_backup.answer import Outcome, build_answer, fit
from trading_backup.job import Job
from trading_backup.reasons import Reason
from trading_operator.plan.backup.answers import read_answer
from trading_operator.plan.backup.case import Case
from unit.operator_pure.backup.cases import DAILY, PASSWORD, S3, case_of, objects_of, planned
from unit.operator_pure.systems import NOW, later

CASES: list[dict[str, Any]] = [
    {},
    {
        "schedule": DAILY,
        "retention": {"days": 30, "keepLast": 3, "weekly": 4},
        "verify": {"readData": "2.5%", "rowHashes": True, "restoreDrill": "0 5 * * 0"},
        "assertions": [{"name": "orders", "target": "db", "sql": "select true"}],
        "hooks": {
            "before": [{"name": "halt", "service": "trader", "path": "/halt", "timeout": "2m"}],
            "after": [{"name": "go", "service": "trader", "path": "/go", "onFailure": "Continue"}],
        },
    },
    {"destination": S3, "encryption": PASSWORD, "targets": [{"name": "cache"}]},
    {
        "destination": {
            "s3": {**S3["s3"], "region": "eu-1", "caSecretRef": {"name": "keys", "key": "ca"}}
        },
        "encryption": PASSWORD,
        "verify": {"readData": "2G"},
    },
]


@pytest.mark.parametrize("fields", CASES, ids=lambda fields: ", ".join(fields) or "defaults")
def test_every_job_file_is_one_that_the_program_takes(fields: dict[str, Any]) -> None:
    plan = planned(_with_authority(case_of(**fields))).plan
    (config,) = objects_of(plan, "ConfigMap").values()
    assert set(config["data"]) == {"full.json", "incremental.json", "safety.json", "drill.json"}
    for text in config["data"].values():
        Job.model_validate_json(text)


def _with_authority(case: Case) -> Case:
    known = case.observed.secrets
    keys = replace(known["keys"], keys=known["keys"].keys | {"ca"})
    return replace(case, observed=replace(case.observed, secrets={**known, "keys": keys}))


@pytest.mark.parametrize("reason", list(Reason))
def test_every_answer_of_the_program_is_understood(reason: Reason) -> None:
    details = {
        "set": "20260102T030000Z",
        "mode": "Full",
        "bytes": 2048,
        "sets": 3,
        "dataAsOf": "2026-01-02T03:00:00Z",
        "rtoSeconds": 12.3,
        "compared": 120,
        "comparison": [
            {"target": "db", "fact": "rows of t", "expected": "1", "found": "2", "equal": False}
        ],
        "warnings": ["w"] * 5000,
        "targets": [{"name": "db", "bytes": 1, "seconds": 1.5}],
    }
    said = fit(build_answer(Outcome(reason, "words", details), NOW, later(60)))
    answer = read_answer(said.decode())
    assert answer is not None
    assert answer.went_well == (reason is Reason.SUCCEEDED)
    assert (answer.reason, answer.message) == (str(reason), "words")
    assert (answer.set, answer.rto_seconds, answer.compared) == ("20260102T030000Z", 12, 120)
    assert answer.comparison[0].found == "2"
