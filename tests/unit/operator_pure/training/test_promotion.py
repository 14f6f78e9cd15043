"""Promotion and the way back: who is traded with, and that no version sneaks in."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_operator.api.model_training_status import (
    PromotionPhase,
)
from trading_operator.plan.observed import PodFault
from trading_operator.plan.training.case import ServiceFacts
from unit.operator_pure.training.desk import FAILED, LIVE, Desk, make_pod
from unit.operator_pure.training.worlds import (
    make_selected,
)


def test_a_version_is_selected_loaded_watched_and_kept() -> None:
    desk = Desk()
    desk.train("v1")
    assert (desk.traded, desk.stands()) == ("v1", PromotionPhase.LOADING)
    desk.step()
    assert desk.stands() is PromotionPhase.LOADING
    desk.report("v1")
    desk.step()
    assert desk.stands() is PromotionPhase.OBSERVING
    desk.step(seconds=1799)
    assert desk.stands() is PromotionPhase.OBSERVING
    desk.step(seconds=2)
    assert desk.stands() is PromotionPhase.KEPT
    assert [each.event.value for each in desk.plan.history] == ["Promoted", "Kept"]


def test_what_the_service_says_of_another_version_proves_nothing() -> None:
    desk = Desk()
    desk.report("v0")
    desk.train("v1")
    desk.step()
    assert desk.stands() is PromotionPhase.LOADING


def test_a_version_that_failed_a_gate_is_never_traded_not_even_on_request() -> None:
    desk = Desk()
    desk.train("v1", FAILED)
    assert (desk.traded, desk.stands()) == ("", PromotionPhase.REFUSED)
    desk.command(approve="v1")
    desk.step()
    assert desk.traded == ""
    assert "failed its gates" in (desk.plan.handled.refused or "")


@pytest.mark.parametrize(
    ("state", "more", "words"),
    [
        ("Refused", {"message": "another digest"}, "another digest"),
        ("Loaded", {"judged": 20, "live": {"liveSharpe": "-0.1"}}, "liveSharpe is -0.1"),
        ("Loaded", {"judged": 20, "live": {"liveSharpe": "NaN"}}, "liveSharpe is NaN"),
        ("Loaded", {"judged": 20, "live": {}}, "liveSharpe is missing"),
        ("Loaded", {"scored": 9, "errors": 1}, "failed to score 1 of 10"),
    ],
)
def test_what_fails_while_it_is_watched_goes_back_and_is_blocked(
    state: str, more: dict[str, Any], words: str
) -> None:
    desk = Desk(promotion={"service": "strategy", "mode": "Auto", "observation": {"live": [LIVE]}})
    desk.promote("v1")
    desk.train("v2")
    desk.report("v2")
    desk.step()
    desk.report("v2", state, **more)
    desk.step()
    assert (desk.traded, desk.stands()) == ("v1", PromotionPhase.ROLLED_BACK)
    assert words in (desk.plan.history[-1].why or "")
    assert [each.id for each in desk.plan.blocked] == ["v2"]
    desk.train("v2")
    assert desk.traded == "v1"


@pytest.mark.parametrize(
    "more", [{"judged": 19, "live": {"liveSharpe": "-9"}}, {"scored": 4, "errors": 0}]
)
def test_too_few_bars_prove_nothing(more: dict[str, Any]) -> None:
    desk = Desk(promotion={"service": "strategy", "mode": "Auto", "observation": {"live": [LIVE]}})
    desk.train("v1")
    desk.report("v1")
    desk.step()
    desk.report("v1", **more)
    desk.step()
    assert desk.stands() is PromotionPhase.OBSERVING


@pytest.mark.parametrize("settled", [True, False])
def test_a_pod_that_fails_after_the_promotion_is_blamed_on_it_unless_something_else_moves(
    settled: bool,
) -> None:
    desk = Desk()
    desk.promote("v1")
    desk.train("v2")
    desk.report("v2")
    desk.step()
    desk.step(seconds=10)
    at = f"{desk.now:%Y-%m-%dT%H:%M:%SZ}"
    fault = PodFault("Error", "exited with 3", hard=True, at=at)
    service = ServiceFacts(settled=settled, pods=(make_pod(ready=False, fault=fault),))
    desk.case = replace(desk.case, service=service)
    desk.step()
    assert desk.traded == ("v1" if settled else "v2")


def test_a_fault_from_before_the_promotion_says_nothing_of_it() -> None:
    desk = Desk()
    old = PodFault("Error", "exited with 3", hard=True, at="2026-11-30T00:00:00Z")
    pods = (make_pod(fault=old, ready_since="2026-11-30T00:00:00Z"),)
    desk.case = replace(desk.case, service=ServiceFacts(pods=pods))
    desk.train("v1")
    desk.report("v1")
    desk.step()
    desk.step()
    assert desk.stands() is PromotionPhase.OBSERVING


def test_a_service_that_does_not_load_it_in_time_gets_the_one_before() -> None:
    desk = Desk()
    desk.promote("v1")
    desk.train("v2")
    desk.step(seconds=299)
    assert desk.traded == "v2"
    desk.step(seconds=3)
    assert desk.traded == "v1"


def test_the_first_version_that_fails_leaves_the_line_empty() -> None:
    desk = Desk()
    desk.train("v1")
    desk.report("v1", "Refused")
    desk.step()
    assert desk.plan.champion is None
    assert desk.stands() is PromotionPhase.ROLLED_BACK


def test_by_hand_a_person_goes_back_to_any_former_version() -> None:
    desk = Desk()
    for name in ("v1", "v2", "v3"):
        desk.promote(name)
    desk.command(rollback_to="v1")
    desk.step()
    assert desk.traded == "v1"
    desk.step()
    assert desk.traded == "v1"
    assert [each.id for each in desk.plan.previous] == ["v2"]
    desk.command(rollback_to="v9")
    desk.step()
    assert "no version v9" in (desk.plan.handled.refused or "")


def test_an_approval_stands_until_its_version_is_trained() -> None:
    desk = Desk(promotion={"service": "strategy", "mode": "Manual"})
    desk.train("v1")
    desk.command(approve="v2")
    desk.step()
    assert desk.traded == ""
    desk.train("v2")
    assert desk.traded == "v2"
    assert desk.plan.history[-1].by == "a person"


def test_what_is_traded_already_is_adopted_by_a_status_that_knows_nothing() -> None:
    desk = Desk()
    desk.case = replace(desk.case, selected=make_selected("v7"))
    desk.step()
    assert desk.traded == "v7"


def test_nothing_is_promoted_beside_a_rival_or_a_restore() -> None:
    cases: list[dict[str, Any]] = [{"rival": "other"}, {"restored_by": "back"}]
    for more in cases:
        desk = Desk()
        desk.case = replace(desk.case, **more)
        desk.train("v1")
        assert desk.traded == ""


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["train", "fail", "loaded", "refused", "bad", "wait", "approve", "back"]),
        st.integers(1, 4),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_only_versions_that_passed_are_traded_and_history_only_grows(
    steps: list[tuple[str, int]],
) -> None:
    desk = Desk(promotion={"service": "strategy", "mode": "Auto", "observation": {"live": [LIVE]}})
    passed: set[str] = set()
    for act, number in steps:
        name, history = f"v{number}", desk.plan.history
        traded, stood = desk.traded, desk.stands()
        if act == "train" and name not in {f"f{number}"}:
            passed.add(name)
            desk.train(name)
        elif act == "fail":
            desk.train(f"f{number}", FAILED)
        elif act in ("loaded", "refused"):
            desk.report(name, act.capitalize())
            desk.step()
        elif act == "bad":
            desk.report(name, judged=99, live={"liveSharpe": "-1"})
            desk.step()
        elif act == "wait":
            desk.step(seconds=400)
        else:
            command = {"approve": f"f{number}"} if act == "approve" else {"rollback_to": name}
            desk.command(**command)
            desk.step()
        assert desk.traded in passed | {""}
        # A watch ends with a verdict, or is that of the next one that a person chose.
        if traded and stood is PromotionPhase.OBSERVING and desk.traded == traded:
            assert desk.stands() in (PromotionPhase.OBSERVING, PromotionPhase.KEPT)
        known = {each.sequence: each for each in history}
        now = {each.sequence: each for each in desk.plan.history}
        assert all(now[each] == known[each] for each in known.keys() & now.keys())
        assert max(now, default=0) >= max(known, default=0)
