"""What services are told to trade with."""

import json
from typing import Any

from trading_operator.plan.draft import System
from trading_operator.plan.models_file import read_selected
from trading_operator.plan.observed import Observed, PodFacts, Selection
from trading_operator.plan.trading_state import (
    plan_model_notice,
    plan_trading_state,
    trading_state_ref,
)
from unit.operator_pure.systems import OWNER, make_spec, service
from unit.operator_pure.training.worlds import OPERAND, make_selected

SPEC = make_spec(services=[service("strategy"), service("other")])
FILE = trading_state_ref(OWNER)


def _select(name: str | None, service_: str = "strategy", spoke: bool = True) -> Selection:
    model = None if name is None else make_selected(name)
    return Selection(service_, "lightgbm-direction", "1d", "daily", model, spoke)


def _plan(*selections: Selection, live: dict[str, Any] | None = None) -> dict[str, Any]:
    children = {} if live is None else {FILE: live}
    observed = Observed(children=children, selections=selections)
    (manifest,) = plan_trading_state(System(OWNER, SPEC, observed, OPERAND))
    return manifest


def _ids(manifest: dict[str, Any], service_: str = "strategy") -> list[str]:
    text = manifest["data"].get(f"{service_}.models.json", '{"models": []}')
    return [each["id"] for each in json.loads(text)["models"]]


def test_a_system_without_selections_has_the_trading_state_alone() -> None:
    assert set(_plan()["data"]) == {"trading_state"}
    assert set(_plan(_select(None, spoke=False))["data"]) == {"trading_state"}


def test_each_service_reads_its_own_lines() -> None:
    manifest = _plan(_select("v1"))
    assert set(manifest["data"]) == {"trading_state", "strategy.models.json"}
    selected = read_selected(manifest, "strategy", "lightgbm-direction", "1d")
    assert selected is not None
    assert (selected.id, selected.digest) == ("v1", make_selected("v1").digest)
    assert read_selected(manifest, "strategy", "lightgbm-direction", "1h") is None
    assert read_selected(manifest, "other", "lightgbm-direction", "1d") is None


def test_the_line_of_a_job_that_is_gone_stays_and_one_that_was_emptied_does_not() -> None:
    live = _plan(_select("v1"))
    assert _ids(_plan(live=live)) == ["v1"]
    assert _ids(_plan(_select(None, spoke=False), live=live)) == ["v1"]
    assert _ids(_plan(_select(None), live=live)) == []
    assert _ids(_plan(_select("v2"), live=live)) == ["v2"]


def test_a_line_moves_with_its_job_to_another_service() -> None:
    first = _select("v1")
    told = first.model
    assert told is not None
    signed = told.model_copy(update={"by": "ModelTrainingJob daily"})
    live = _plan(Selection("strategy", first.type, first.timeframe, "daily", signed, True))
    moved = _plan(Selection("other", first.type, first.timeframe, "daily", signed, True), live=live)
    assert (_ids(moved), _ids(moved, "other")) == ([], ["v1"])


def test_what_somebody_wrote_into_the_file_harms_nobody() -> None:
    live = _plan(_select("v1"))
    live["data"]["strategy.models.json"] = "no JSON"
    assert read_selected(live, "strategy", "lightgbm-direction", "1d") is None
    assert _ids(_plan(_select("v2"), live=live)) == ["v2"]


def test_only_pods_that_have_not_heard_of_their_own_file_are_told() -> None:
    def pod(name: str, component: str, models: str = "") -> PodFacts:
        return PodFacts(name, component, "r", "Running", True, False, 0, "", "", True, "", models)

    pods = (pod("strategy-1", "strategy"), pod("other-1", "other"))
    observed = Observed(selections=(_select("v1"),), pods=pods)
    system = System(OWNER, SPEC, observed, OPERAND)
    notice = plan_model_notice(system)
    assert notice is not None
    assert set(notice.pods) == {"strategy-1"}
    told = (pod("strategy-1", "strategy", notice.pods["strategy-1"]),)
    again = plan_model_notice(
        System(OWNER, SPEC, Observed(selections=(_select("v1"),), pods=told), OPERAND)
    )
    assert again is not None
    assert again.pods == {}
    assert not notice.is_written({})
    assert notice.is_written({FILE: _plan(_select("v1"))})
