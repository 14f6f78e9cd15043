"""Many small steps make one status write; what matters is told at once."""

from typing import Any

from trading_operator.controllers.pace import HOLD_SECONDS, Pace
from trading_operator.kube.cache import Key

KEY = Key("ns", "one")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _status(ready: str, **more: Any) -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": ready}], **more}


def test_the_first_steps_are_held_back_for_a_second_in_all() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.hold(KEY, {}, _status("False", step=1)) == HOLD_SECONDS
    clock.now += 0.6
    assert round(pace.hold(KEY, {}, _status("False", step=2)), 3) == 0.4
    clock.now += 0.4
    assert pace.hold(KEY, {}, _status("False", step=3)) == 0.0


def test_ready_and_stalled_are_told_at_once() -> None:
    pace = Pace(Clock())
    assert pace.hold(KEY, {}, _status("True")) == 0.0
    assert pace.hold(KEY, _status("True"), _status("False")) == 0.0
    stalled = {"conditions": [{"type": "Stalled", "status": "True"}]}
    assert pace.hold(KEY, {}, stalled) == 0.0


def test_a_step_long_after_the_last_write_is_told_at_once() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.written(KEY)
    before, after = _status("False", step=1), _status("False", step=2)
    assert pace.hold(KEY, before, after) == HOLD_SECONDS
    clock.now += 30
    assert pace.hold(KEY, before, after) == 0.0


def test_a_forgotten_system_starts_anew() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.hold(KEY, {}, _status("False"))
    clock.now += 10
    pace.forget(KEY)
    assert pace.hold(KEY, {}, _status("False")) == HOLD_SECONDS
