"""While data are restored what uses them is stopped, and orders wait for a person afterwards."""

from dataclasses import replace

import pytest

from trading_operator.api.trading_system import TradingState
from trading_operator.plan.observed import RestoreFacts
from unit.operator_pure.rollout.worlds import Desk, desk
from unit.operator_pure.systems import datastore, make_spec, service

BACK = RestoreFacts("back", frozenset({"db"}), "uid-1")


@pytest.fixture
def settled() -> Desk:
    """A desk whose first version is proven good."""
    made = Desk()
    made.settle(desk())
    return made


def running(made: Desk) -> set[str]:
    return set(made.world.pods)


def told(made: Desk) -> str:
    return str(made.status["tradingState"])


def test_users_stop_in_order_and_what_is_restored_stays(settled: Desk) -> None:
    spec = desk()
    settled.step(spec, restore=BACK)
    settled.world.run_pods()
    assert running(settled) == {"db", "feed"}  # the strategy uses the feed
    settled.run(spec, restore=BACK)
    assert running(settled) == {"db"}
    assert settled.condition("Available")["reason"] == "Restoring"
    lines = {line["name"]: line for line in settled.status["components"]}
    assert lines["feed"]["state"] == "Stopped"
    assert "Restore back" in lines["feed"]["message"]
    assert lines["db"]["state"] == "Ready"


def test_what_does_not_use_the_data_goes_on() -> None:
    spec = make_spec(
        datastores=[datastore(), datastore("other")],
        services=[service("user", "db"), service("apart", "other")],
    )
    made = Desk()
    made.settle(spec)
    made.run(spec, restore=BACK)
    assert running(made) == {"db", "other", "apart"}


def test_who_mounts_a_restored_volume_stops_too() -> None:
    mounts = [{"name": "models", "mountPath": "/models"}]
    spec = make_spec(
        volumes=[{"name": "models", "size": "1Gi"}],
        services=[service("trainer", volumes=mounts), service("user", "trainer"), service("apart")],
    )
    made = Desk()
    made.settle(spec)
    made.run(spec, restore=RestoreFacts("back", frozenset({"models"})))
    assert running(made) == {"apart"}


def test_services_come_back_halted_until_a_person_says_so(settled: Desk) -> None:
    spec = desk()
    settled.run(spec, restore=BACK)
    assert told(settled) == "Halted"
    settled.run(spec)
    assert running(settled) == {"db", "feed", "strategy"}
    assert (told(settled), settled.status["haltedBy"]) == ("Halted", "back")
    settled.commands = {"resume-trading": "another"}
    settled.run(spec)
    assert told(settled) == "Halted"
    settled.commands = {"resume-trading": "back"}
    settled.run(spec)
    assert told(settled) == "Active"
    assert "haltedBy" not in settled.status
    settled.commands = {}
    settled.run(spec)
    assert told(settled) == "Active"


def test_a_command_that_let_an_earlier_restore_of_the_name_go_holds_for_that_one(
    settled: Desk,
) -> None:
    spec = desk()
    settled.commands = {"resume-trading": "back"}
    settled.run(spec, restore=BACK)
    settled.run(spec)
    assert (told(settled), settled.status["haltedBy"]) == ("Halted", "back")
    assert "resumeTrading" not in settled.status.get("handled", {})
    settled.commands = {}
    settled.run(spec)
    settled.commands = {"resume-trading": "back"}
    settled.run(spec)
    assert told(settled) == "Active"
    assert settled.status["handled"]["resumeTrading"] == "back"
    # The next one of that name is another one again, and is named beyond doubt by its uid.
    settled.run(spec, restore=replace(BACK, uid="uid-2"))
    settled.run(spec)
    assert told(settled) == "Halted"
    settled.commands = {"resume-trading": "uid-2"}
    settled.run(spec)
    assert told(settled) == "Active"


def test_a_command_that_is_given_during_the_restore_holds_for_it(settled: Desk) -> None:
    spec = desk()
    settled.run(spec, restore=BACK)
    settled.commands = {"resume-trading": "back"}
    settled.run(spec, restore=BACK)
    assert told(settled) == "Halted"
    settled.run(spec)
    assert told(settled) == "Active"


def test_who_asks_for_halted_has_taken_over(settled: Desk) -> None:
    settled.run(desk(), restore=BACK)
    settled.run(desk().model_copy(update={"trading_state": TradingState.HALTED}))
    assert "haltedBy" not in settled.status
    settled.run(desk())
    assert told(settled) == "Active"


def test_a_change_waits_for_the_end_of_a_restore(settled: Desk) -> None:
    settled.run(desk("2"), restore=BACK)
    assert settled.images()["feed"] == "feed:1"
    assert settled.status["rollout"]["reason"] == "Restoring"
    settled.run(desk("2"), 300)
    assert settled.images()["feed"] == "feed:2"


def test_a_restore_is_no_change_and_nothing_goes_back_for_it(settled: Desk) -> None:
    before = settled.status["revision"]
    settled.run(desk(), 900, restore=BACK)
    settled.run(desk(), 300)
    assert settled.status["revision"] == before
    assert settled.condition("RolledBack")["status"] == "False"
    assert settled.condition("Ready")["status"] == "True"
