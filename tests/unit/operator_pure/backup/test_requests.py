"""What was asked for once is done once, for as long as it is asked for."""

from dataclasses import replace

from trading_operator.api.backup_status import MAX_REQUESTS
from trading_operator.plan.backup.case import JobFacts
from trading_operator.plan.backup.requests import command_request
from unit.operator_pure.backup.cases import BACKUP, DAILY, case_of, planned, remembering


def test_a_command_that_still_stands_is_not_carried_out_again() -> None:
    asked = command_request("now")
    over = [{"id": f"r{at}", "job": f"j{at}", "outcome": "Succeeded"} for at in range(MAX_REQUESTS)]
    newer = [
        JobFacts(f"n{at}", "Full", request=f"n{at}", created_at="2026-01-02") for at in range(3)
    ]
    case = remembering(case_of(schedule=DAILY), requests=[*over[1:], {**over[0], "id": asked}])
    case = replace(case, owner=replace(BACKUP, commands={"run-now": "now"}), jobs=tuple(newer))
    for restored_by in ("", "back"):
        known = planned(replace(case, restored_by=restored_by)).record.requests
        assert len(known) == MAX_REQUESTS
        assert asked in {each.id for each in known}
