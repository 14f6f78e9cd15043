"""Deletion policy Snapshot: volumes go only after a verified backup of what they hold."""

from datetime import timedelta
from typing import Any

import pytest

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.controllers.parse import parse_backup_facts
from trading_operator.observe.deletion import (
    asks_for_last_backup,
    deletion_status,
    last_backup_events,
)
from trading_operator.plan.backup.requests import end_request
from trading_operator.plan.deletion import (
    Ending,
    needs_ordered_stop,
    plan_ending,
    plan_release,
    stop_deadline,
)
from trading_operator.plan.last_backup import LastBackup, find_last_backup
from trading_operator.plan.observed import AskedBackup, BackupFacts, Observed, Ref, RestoreFacts
from trading_operator.plan.types import Plan
from unit.operator_pure.systems import (
    NOW,
    OPERAND,
    OWNER,
    World,
    datastore,
    make_spec,
    objects_of,
    plan_for,
    service,
)

KIND = "PersistentVolumeClaim"
SNAPSHOT = {"volumes": "Snapshot", "backup": "nightly"}
SPEC = make_spec(
    datastores=[datastore()],
    volumes=[{"name": "models", "size": "1Gi"}],
    services=[service("app", "db")],
    deletion=SNAPSHOT,
)
CLAIMS = {"data-momentum-db-0", "momentum-models"}


def facts(outcome: str = "", message: str = "", **more: Any) -> BackupFacts:
    """Return the Backup, and how far it is with what the system asked for."""
    held = frozenset(more.pop("holds", {"db", "models"}))
    asked = {end_request(OWNER.uid): AskedBackup(outcome, message, held)} if outcome else {}
    return BackupFacts("nightly", more.pop("system", OWNER.name), asked, **more)


def last(seen: Observed, spec: TradingSystemSpec = SPEC, minutes: int = 5) -> LastBackup:
    """Return how far the last backup is, some minutes after the deletion."""
    found = find_last_backup(OWNER, spec, seen, NOW - timedelta(minutes=minutes), NOW)
    assert found is not None
    return found


def ends(world: World, backup: BackupFacts, spec: TradingSystemSpec = SPEC) -> Ending:
    """Plan the end of the system."""
    seen = world.observe(backup=backup)
    return plan_ending(OWNER, spec, seen, OPERAND, last(seen, spec))


def going(plan: Plan) -> set[str]:
    """Return the claims that are handed to the system, with which they go."""
    claims = objects_of(plan, KIND)
    return {name for name, each in claims.items() if each["metadata"]["ownerReferences"]}


def stop(world: World, component: str) -> None:
    """Let a component have no pods, as its controller would."""
    del world.pods[component]
    kind = "StatefulSet" if component == "db" else "Deployment"
    world.children[Ref(kind, f"momentum-{component}")]["spec"]["replicas"] = 0


@pytest.fixture
def world() -> World:
    """The system as it serves."""
    made = World()
    made.settle(SPEC)
    return made


def test_volumes_belong_to_nobody_until_their_data_are_safe(world: World) -> None:
    assert going(plan_for(SPEC, world.observe())) == set()
    assert needs_ordered_stop(SPEC, world.observe(), plan_for(SPEC, world.observe()))


def test_services_stop_then_the_backup_is_asked_for_and_then_all_goes(world: World) -> None:
    stopping = ends(world, facts())
    assert stopping.blocks["db"].message == "stops after app"
    status = deletion_status(OWNER, stopping.blocks, NOW, None, NOW)
    assert not asks_for_last_backup(status)

    stop(world, "app")
    waiting = ends(world, facts())
    assert (waiting.done, set(waiting.blocks)) == (False, {"db"})
    assert waiting.blocks["db"].message == "stops after the last backup by nightly"
    assert asks_for_last_backup(deletion_status(OWNER, waiting.blocks, NOW, None, NOW))
    assert not ends(world, facts("Running")).done

    saved = ends(world, facts("Succeeded"))
    assert saved.plan.objects[-1]["spec"]["replicas"] == 0
    assert going(saved.plan) == CLAIMS
    stop(world, "db")
    assert ends(world, facts("Succeeded")).done


def test_what_the_backup_does_not_hold_stays(world: World) -> None:
    some = facts("Succeeded", holds={"db", "gone"})
    assert going(ends(world, some).plan) == {"data-momentum-db-0"}
    (event,) = last_backup_events(last(world.observe(backup=some)))
    assert event.message.endswith("the volumes that it holds go: db")
    assert going(ends(world, facts("Succeeded", holds=())).plan) == set()


def test_the_backup_says_itself_what_it_holds(world: World) -> None:
    # The spec of the Backup, and of the system, may have become another one since.
    request = {"id": end_request(OWNER.uid), "job": "j", "outcome": "Succeeded"}
    body = {
        "metadata": {"name": "nightly"},
        "spec": {"system": OWNER.name, "targets": [{"name": "db"}, {"name": "models"}]},
        "status": {"requests": [{**request, "targets": ["models"]}]},
    }
    assert going(ends(world, parse_backup_facts(body)).plan) == {"momentum-models"}
    body["status"] = {"requests": [request]}
    assert going(ends(world, parse_backup_facts(body)).plan) == set()


def test_a_name_that_may_mean_two_volumes_takes_neither() -> None:
    spec = make_spec(
        datastores=[datastore()], volumes=[{"name": "db", "size": "1Gi"}], deletion=SNAPSHOT
    )
    made = World()
    made.settle(spec)
    assert going(ends(made, facts("Succeeded", holds={"db"}), spec).plan) == set()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"backup": facts("Failed", "disk full")}, "the backup by nightly failed: disk full"),
        ({"backup": None}, "there is no Backup nightly"),
        ({"backup": facts(system="other")}, "is of other"),
        ({"restore": RestoreFacts("back", frozenset({"db"}))}, "half restored"),
    ],
)
def test_whatever_goes_wrong_keeps_the_volumes_and_holds_nothing_up(
    world: World, given: dict[str, Any], told: str
) -> None:
    seen = world.observe(**{"backup": facts("Succeeded"), **given})
    found = last(seen)
    assert told in found.message
    ending = plan_ending(OWNER, SPEC, seen, OPERAND, found)
    assert ending.blocks["db"].message == "stops after app"
    assert going(ending.plan) == set()
    (event,) = last_backup_events(found)
    assert event.reason == "LastBackupNotTaken"


def test_it_is_waited_for_until_its_deadline_and_the_stop_has_its_own_time(world: World) -> None:
    seen = world.observe(backup=facts("Running"))
    assert last(seen, minutes=59).is_awaited
    late = last(seen, minutes=60)
    assert "had not taken it in time" in late.message
    assert going(plan_release(OWNER, SPEC, seen, late)) == set()
    assert stop_deadline(SPEC, NOW) == NOW + timedelta(hours=1, minutes=2)


def test_a_hibernated_system_keeps_its_volumes(world: World) -> None:
    asleep = SPEC.model_copy(update={"hibernated": True})
    assert "hibernates" in last(world.observe(backup=facts()), asleep).message


def test_why_the_backup_takes_none_is_told(world: World) -> None:
    seen = world.observe(backup=facts(trouble="there is no Secret vault"))
    assert last(seen).message.endswith("takes none now: there is no Secret vault")


def test_volumes_without_a_datastore_wait_too() -> None:
    spec = make_spec(volumes=[{"name": "models", "size": "1Gi"}], deletion=SNAPSHOT)
    world = World()
    world.settle(spec)
    waiting = ends(world, facts(), spec)
    assert not waiting.done
    status = deletion_status(OWNER, waiting.blocks, NOW, None, NOW)
    assert asks_for_last_backup(status)
    assert ends(world, facts("Succeeded"), spec).done


def test_the_other_policies_ask_for_none() -> None:
    for policy in ("Retain", "Delete"):
        spec = make_spec(datastores=[datastore()], deletion={"volumes": policy})
        assert find_last_backup(OWNER, spec, Observed(), NOW, NOW) is None
    assert last_backup_events(None) == ()
