"""A Job that is over may be known before what its pod said."""

from datetime import timedelta
from typing import Any

import pytest

from trading_operator.plan.backup.answers import is_ending
from unit.operator_pure.backup.cases import ended_job
from unit.operator_pure.systems import NOW

JUST = "2026-01-02T03:04:00Z"  # five seconds before now


@pytest.mark.parametrize(
    ("facts", "ending"),
    [
        ({}, True),
        ({"words": "gone with its node"}, False),
        ({"outcome": "Failed"}, False),
        ({"outcome": "Running"}, False),
        ({"ended_at": ""}, False),
        ({"ended_at": "some day"}, False),
    ],
    ids=str,
)
def test_a_job_that_went_well_and_says_nothing_yet_is_still_ending(
    facts: dict[str, Any], ending: bool
) -> None:
    job = ended_job(**{"at": JUST, "words": "", **facts})
    assert is_ending(job, NOW) is ending
    assert not is_ending(job, NOW + timedelta(minutes=1))
