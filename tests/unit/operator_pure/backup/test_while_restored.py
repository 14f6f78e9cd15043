"""While data of its system are restored a Backup rests, but for what saves them."""

import json
from dataclasses import replace

from unit.operator_pure.backup.cases import (
    DAILY,
    case_of,
    objects_of,
    planned,
    remembering,
    settled,
)


def test_backups_rest_while_data_are_restored_but_for_the_one_that_saves_them() -> None:
    of = case_of(schedule=DAILY, retention={"keepLast": 1}, verify={"restoreDrill": "@daily"})
    rests = planned(replace(of, restored_by="back", asked=("d1ge57",)))
    suspended = {
        name: each["spec"]["suspend"] for name, each in objects_of(rests.plan, "CronJob").items()
    }
    assert suspended == {
        "nightly-full": True,
        "nightly-incremental": True,
        "nightly-drill": False,
    }
    (made,) = objects_of(rests.plan, "Job").values()
    assert made["metadata"]["labels"]["tradingoperator.io/run"] == "Safety"
    assert rests.rests == "Restoring"
    # It may delete no set, least of all the one that is about to be restored.
    (config,) = objects_of(rests.plan, "ConfigMap").values()
    files = {name: json.loads(text) for name, text in config["data"].items()}
    assert "retention" in files["full.json"]
    assert "retention" not in files["safety.json"]


def test_a_backup_that_cannot_be_planned_rests_all_the_same() -> None:
    sets = [{"id": "20260102T030000Z", "kind": "Full", "job": "nightly-full-1"}]
    of = remembering(settled(case_of(schedule=DAILY)), lastSets=sets)
    blocked = replace(of, observed=replace(of.observed, secrets={}), restored_by="back")
    made = planned(blocked)
    assert made.block is not None
    assert all(each["spec"]["suspend"] for each in objects_of(made.plan, "CronJob").values())


def test_a_command_waits_until_the_data_are_back() -> None:
    of = case_of(schedule=DAILY)
    asked = replace(of, owner=replace(of.owner, commands={"run-now": "1"}))
    assert objects_of(planned(asked).plan, "Job")
    assert not objects_of(planned(replace(asked, restored_by="back")).plan, "Job")
