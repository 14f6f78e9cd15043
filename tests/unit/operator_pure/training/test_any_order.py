"""Whatever happens in whatever order: the newest version is decided about, then nothing moves."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_operator.api.model_training_status import HistoryEvent
from trading_operator.plan.training.promotion import PERSON
from unit.operator_pure.training.desk import FAILED, LIVE, PASSED, Desk

AUTO = {"service": "strategy", "mode": "Auto", "observation": {"live": [LIVE]}}
NAMES = ("v1", "v2", "v3")
EVENTS = st.one_of(
    st.tuples(st.just("train"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("loaded"), st.just("1"), st.booleans()),
    st.tuples(st.just("refused"), st.just(""), st.booleans()),
    st.tuples(st.just("silent"), st.just(""), st.booleans()),
    st.tuples(st.just("stopped"), st.just(""), st.booleans()),
    st.tuples(st.just("later"), st.just(""), st.booleans()),
    st.tuples(st.just("approve"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("rollback_to"), st.sampled_from((*NAMES, "previous")), st.booleans()),
)
Happening = tuple[str, str, bool]


def _happen(desk: Desk, event: Happening, number: int) -> None:
    what, word, good = event
    if what == "train":
        desk.train(word, PASSED if good else FAILED)
    elif what == "loaded":
        _report(desk, "Loaded", "1" if good else "-1")
    elif what == "refused":
        _report(desk, "Refused", "1")
    elif what == "silent":
        desk.case = replace(desk.case, report=None)
    elif what == "stopped":
        desk.case = replace(desk.case, service=replace(desk.case.service, settled=good, ready=good))
    elif what in ("approve", "rollback_to"):
        desk.command(**{what: word})
    desk.step(seconds=2000 if what == "later" and good else 5 + number)


def _report(desk: Desk, state: str, sharpe: str) -> None:
    said: dict[str, Any] = {"judged": 99, "live": {"liveSharpe": sharpe}}
    if desk.traded:
        desk.report(desk.traded, state, **said)


def _let_go_well(desk: Desk) -> None:
    """Let the service load and prove whatever it is told to."""
    desk.case = replace(desk.case, service=replace(desk.case.service, settled=True, ready=True))
    for _ in range(12):
        _report(desk, "Loaded", "1")
        desk.step(seconds=2000)


@settings(max_examples=300, deadline=None)
@given(events=st.lists(EVENTS, min_size=1, max_size=14))
def test_the_newest_version_is_decided_about_and_then_nothing_moves(
    events: list[Happening],
) -> None:
    desk = Desk(promotion=AUTO)
    for number, event in enumerate(events):
        _happen(desk, event, number)
    _let_go_well(desk)
    settled = desk.step(seconds=2000)
    again = desk.step(seconds=2000)
    assert (settled.state, settled.history) == (again.state, again.history)
    assert again.requeue_after is None
    if desk.version is None:
        return
    newest = desk.version.id
    blocked = {each.id for each in again.blocked}
    failed = any(not each.passed for each in again.gates)
    left = {each.version for each in again.history if each.event is HistoryEvent.ROLLED_BACK}
    replaced = {each.id for each in again.previous}
    assert newest == desk.traded or newest in blocked | left | replaced or failed
    assert desk.traded not in replaced


@settings(max_examples=200, deadline=None)
@given(events=st.lists(EVENTS, min_size=1, max_size=14))
def test_where_people_approve_nothing_is_selected_unasked(events: list[Happening]) -> None:
    desk = Desk(promotion={**AUTO, "mode": "Manual"})
    for number, event in enumerate(events):
        _happen(desk, event, number)
    _let_go_well(desk)
    selected = [each for each in desk.plan.history if each.event is HistoryEvent.PROMOTED]
    assert all(each.by == PERSON for each in selected)
    assert desk.traded in {"", *(each.version for each in selected)}
