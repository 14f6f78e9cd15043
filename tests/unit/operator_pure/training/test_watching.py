"""One version is watched at a time, by what its service tells; nothing else is blamed on it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from trading_operator.api.model_training_status import (
    GateResult,
    PromotionPhase,
)
from trading_operator.plan.training.surroundings import choose_address
from trading_operator.plan.training.versions import build_metrics
from unit.operator_pure.training.desk import FAILED, LIVE, PASSED, Desk, make_pod

GOOD_LIVE: dict[str, Any] = {"judged": 99, "live": {"liveSharpe": "1"}}
BAD_LIVE: dict[str, Any] = {"judged": 99, "live": {"liveSharpe": "-1"}}
AUTO = {"service": "strategy", "mode": "Auto", "observation": {"live": [LIVE]}}


def _watched(**spec: Any) -> Desk:
    """Return a desk whose second version is loaded and watched."""
    desk = Desk(**{"promotion": AUTO, **spec})
    desk.train("v1")
    desk.report("v1", **GOOD_LIVE)
    desk.step()
    desk.step(seconds=3600)
    desk.train("v2")
    desk.report("v2", **GOOD_LIVE)
    desk.step()
    assert (desk.traded, desk.stands()) == ("v2", PromotionPhase.OBSERVING)
    return desk


def _serve(desk: Desk, **facts: Any) -> None:
    desk.case = replace(desk.case, service=replace(desk.case.service, **facts))


def _silence(desk: Desk) -> None:
    desk.case = replace(desk.case, report=None)


@pytest.mark.parametrize("gates", [FAILED, PASSED])
def test_a_version_that_is_trained_meanwhile_ends_no_watch(gates: tuple[GateResult, ...]) -> None:
    desk = _watched()
    desk.train("v3", gates)
    assert (desk.traded, desk.stands()) == ("v2", PromotionPhase.OBSERVING)
    desk.report("v2", **BAD_LIVE)
    desk.step()
    assert (desk.traded, desk.stands()) == ("v1", PromotionPhase.ROLLED_BACK)
    assert desk.plan.requeue_after is not None
    desk.step()
    assert desk.traded == ("v1" if gates == FAILED else "v3")


@pytest.mark.parametrize("gates", [FAILED, PASSED])
def test_a_version_that_waited_is_decided_about_once(gates: tuple[GateResult, ...]) -> None:
    desk = _watched()
    desk.train("v3", gates)
    desk.step(seconds=3600)
    assert desk.stands() is PromotionPhase.KEPT
    assert desk.plan.requeue_after is not None
    for _ in range(3):
        desk.step()
    last = [(each.event.value, each.version) for each in desk.plan.history[-2:]]
    told = "Refused" if gates == FAILED else "Promoted"
    assert last == [("Kept", "v2"), (told, "v3")]


def test_a_version_that_was_refused_before_and_trained_again_is_decided_about() -> None:
    desk = Desk(promotion=AUTO)
    desk.train("v3", FAILED)
    desk.train("v2")
    desk.report("v2", **GOOD_LIVE)
    desk.step()
    desk.train("v3")
    desk.step(seconds=3600)
    desk.step()
    assert desk.traded == "v3"


def test_what_was_compared_with_a_version_that_went_back_is_refused() -> None:
    gate = {"metric": "oosSharpe", "op": ">=", "relativeTo": "Champion", "margin": "0.1"}
    desk = _watched(gates=[gate])
    desk.train("v3", (GateResult(name="oosSharpe >= champion + 0.1", passed=True),))
    desk.report("v2", "Refused")
    desk.step()
    desk.step()
    assert (desk.traded, desk.stands()) == ("v1", PromotionPhase.REFUSED)
    assert "compared with v2" in (desk.plan.gates[0].message or "")


def test_a_person_approves_what_waits() -> None:
    desk = _watched()
    desk.train("v3")
    desk.command(approve="v3")
    desk.step()
    assert desk.traded == "v3"
    assert [each.id for each in desk.plan.previous] == ["v2", "v1"]


def test_what_waited_when_a_person_went_back_is_not_selected_by_itself() -> None:
    desk = _watched()
    desk.train("v3")
    desk.command(rollback_to="previous")
    for _ in range(3):
        desk.step()
    assert desk.traded == "v1"
    assert {each.id for each in desk.plan.blocked} == {"v2", "v3"}


@pytest.mark.parametrize("other", ["", "v1"])
def test_a_service_that_is_ready_and_tells_of_it_no_more_goes_back(other: str) -> None:
    desk = _watched()
    desk.case = replace(desk.case, report=None)
    if other:
        desk.report(other)
    desk.step(seconds=1790)
    desk.step(seconds=29)
    assert desk.traded == "v2"
    desk.step(seconds=1)
    assert desk.traded == "v1"


def test_an_answer_that_is_lost_now_and_then_is_forgotten() -> None:
    desk = _watched()
    for _ in range(4):
        _silence(desk)
        desk.step(seconds=3)
        desk.report("v2", **GOOD_LIVE)
        desk.step(seconds=40)
    assert desk.stands() is PromotionPhase.OBSERVING


def test_a_version_that_is_loaded_again_has_the_load_deadline() -> None:
    desk = _watched()
    desk.report("v2", "Waiting")
    desk.step()
    desk.step(seconds=299)
    assert desk.traded == "v2"
    desk.step(seconds=1)
    assert desk.traded == "v1"


def test_another_file_under_the_id_of_a_version_is_not_that_version() -> None:
    desk = Desk()
    desk.train("v1")
    desk.report("v1", digest="e" * 64)
    desk.step()
    assert desk.stands() is PromotionPhase.LOADING
    desk.report("v1", digest="v1".ljust(64, "0"))
    desk.step()
    assert desk.stands() is PromotionPhase.OBSERVING


def test_no_time_to_load_passes_while_the_service_is_stopped() -> None:
    desk = Desk()
    desk.promote("v1")
    desk.train("v2")
    _serve(desk, settled=False, ready=False)
    desk.step(seconds=40_000)
    before = desk.plan
    assert desk.step(seconds=40_000) == before  # and nothing is written meanwhile
    _serve(desk, settled=True, ready=True)
    desk.step()
    desk.step(seconds=299)
    assert desk.traded == "v2"
    desk.step(seconds=1)
    assert desk.traded == "v1"


@pytest.mark.parametrize("restored_by", ["", "monday"])
def test_a_version_is_watched_anew_after_the_service_was_stopped(restored_by: str) -> None:
    desk = _watched()
    _silence(desk)
    _serve(desk, settled=False, ready=False)
    desk.case = replace(desk.case, restored_by=restored_by)
    desk.step(seconds=5)
    desk.step(seconds=40_000)
    assert desk.stands() is PromotionPhase.OBSERVING
    desk.case = replace(desk.case, restored_by="")
    _serve(desk, settled=True, ready=True)
    desk.report("v2", **GOOD_LIVE)
    desk.step()
    desk.step(seconds=1799)
    assert desk.stands() is PromotionPhase.OBSERVING
    desk.step(seconds=1)
    assert desk.stands() is PromotionPhase.KEPT


@pytest.mark.parametrize(
    ("facts", "patience"),
    [
        ({"started": True, "reason": "NotReady"}, 30),
        ({"started": False, "reason": "ContainerCreating"}, 300),
        ({"started": True, "reason": "NodeUnreachable"}, None),
    ],
)
def test_a_pod_that_is_not_ready_is_given_the_time_that_its_state_needs(
    facts: dict[str, Any], patience: int | None
) -> None:
    desk = _watched()
    lost = f"{desk.now:%Y-%m-%dT%H:%M:%SZ}"
    _silence(desk)
    _serve(desk, ready=False, pods=(make_pod(ready=False, ready_since=lost, **facts),))
    desk.step(seconds=(patience or 5000) - 1)
    assert desk.traded == "v2"
    desk.step(seconds=1)
    assert desk.traded == ("v2" if patience is None else "v1")


def test_a_fault_after_a_stop_is_the_version_s_again() -> None:
    desk = _watched()
    _silence(desk)
    _serve(desk, settled=False, ready=False)
    desk.step()
    lost = f"{desk.now:%Y-%m-%dT%H:%M:%SZ}"
    unready = make_pod(ready=False, ready_since=lost, reason="NotReady")
    _serve(desk, settled=True, pods=(unready,))
    desk.step(seconds=5)
    later = f"{desk.now + timedelta(seconds=60):%Y-%m-%dT%H:%M:%SZ}"
    _serve(desk, pods=(make_pod(ready=False, ready_since=later, reason="NotReady"),))
    desk.step(seconds=80)
    assert desk.traded == "v2"
    desk.step(seconds=11)
    assert desk.traded == "v1"


def test_nothing_is_written_again_and_again_while_something_else_moves_the_service() -> None:
    desk = _watched()
    _serve(desk, settled=False)
    states = set()
    for number in range(6):
        desk.report("v2", **GOOD_LIVE) if number % 2 else _silence(desk)
        states.add(repr(desk.step(seconds=3).state))
    assert len({state for state in states if "stopped or changed" in state}) == 1
    assert len(states) == 1


def test_a_report_of_another_version_begins_no_window() -> None:
    desk = _watched()
    _silence(desk)
    _serve(desk, settled=False, ready=False)
    desk.step()
    _serve(desk, settled=True)
    desk.report("v1")
    desk.step()
    assert desk.plan.state is not None
    assert desk.plan.state.loaded_at is None


def test_a_refusal_of_any_length_takes_it_back() -> None:
    desk = _watched()
    desk.report("v2", "Refused", message="x" * 1024)
    desk.step()
    desk.step()
    assert desk.traded == "v1"


def test_without_promotion_nothing_is_watched_and_what_waited_is_judged() -> None:
    desk = _watched()
    desk.train("v3", FAILED)
    desk.case = replace(desk.case, spec=desk.case.spec.model_copy(update={"promotion": None}))
    desk.step()
    assert desk.stands() is None
    desk.train("v4", FAILED)
    assert (desk.traded, desk.stands()) == ("v2", PromotionPhase.REFUSED)


def test_a_person_who_goes_back_while_a_version_awaits_the_end_of_a_restore_has_the_last_word() -> (
    None
):
    desk = _watched()
    desk.step(seconds=3600)
    desk.case = replace(desk.case, restored_by="monday")
    desk.train("v3")
    desk.command(rollback_to="previous")
    desk.step()
    desk.case = replace(desk.case, restored_by="")
    for _ in range(3):
        desk.step()
    assert desk.traded == "v1"


def test_a_version_that_a_person_goes_back_to_is_not_blocked_though_it_was_trained_again() -> None:
    desk = _watched()
    desk.train("v1")
    desk.command(rollback_to="previous")
    desk.step()
    assert desk.traded == "v1"
    assert [each.id for each in desk.plan.blocked] == ["v2"]


def test_gates_that_were_edited_meanwhile_still_compare_with_what_went_back() -> None:
    desk = _watched()
    desk.train("v3", (GateResult(name="oosSharpe >= champion + 0.5", passed=True),))
    desk.report("v2", "Refused")
    desk.step()
    desk.step()
    assert (desk.traded, desk.stands()) == ("v1", PromotionPhase.REFUSED)


def test_the_pod_that_is_ready_is_asked_and_none_that_goes() -> None:
    lost = make_pod(name="a", address="10.0.0.1", ready=False, deleting=True)
    starts = make_pod(name="b", address="10.0.0.2", ready=False)
    serves = make_pod(name="c", address="10.0.0.3")
    assert choose_address([lost, starts, serves]) == "10.0.0.3"
    assert choose_address([lost, starts]) == "10.0.0.2"
    assert choose_address([lost]) == ""


def test_long_numbers_of_a_program_fit_the_status() -> None:
    told = build_metrics({"a": "0." + "1" * 60, "b": "x" * 60, "c": "0.125"})
    assert [each.value for each in told] == ["NaN", "NaN", "0.125"]
    assert build_metrics({"a": "1234567890.12345678901234567890"})[0].value == (
        "1234567890.12345678901234567890"
    )
    assert build_metrics({"a": "12345678901234567890.12345678901234567890"})[0].value == (
        "1.23456789012e+19"
    )
