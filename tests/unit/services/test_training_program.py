"""Parts of the training program: what it waits for, what it fixes, what it shares."""

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lightgbm.basic import _ConfigAliases
from psycopg2 import OperationalError
from psycopg2.errors import QueryCanceled

from trading_services.training_job import patience
from trading_services.training_job.attempts import claim_attempt
from trading_services.training_job.boosting import read_boosting
from trading_services.training_job.errors import FencedError, PermanentError
from trading_services.training_job.patience import wait_for_database
from trading_services.training_job.reach import keep_reach, read_reach

FIXED = ("objective", "num_threads", "verbosity", "seed", "num_iterations", "device_type")


class _Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    made = _Clock()
    monkeypatch.setattr(patience, "time", made)
    return made


def test_the_database_is_waited_for_from_when_it_was_first_away(clock: _Clock) -> None:
    calls = []

    def work() -> str:
        calls.append(clock.now)
        if len(calls) == 1:
            clock.sleep(500)  # it reads for long, and is cut off
            raise OperationalError("server closed the connection")
        return "read"

    assert wait_for_database(work) == "read"


def test_a_database_that_stays_away_is_given_up(clock: _Clock) -> None:
    def work() -> None:
        raise OperationalError("no route")

    with pytest.raises(OperationalError, match="no route"):
        wait_for_database(work)
    assert 59 < clock.now < 65


def test_a_query_that_takes_too_long_is_not_asked_again_at_once(clock: _Clock) -> None:
    def work() -> None:
        raise QueryCanceled("canceling statement due to statement timeout")

    with pytest.raises(QueryCanceled):
        wait_for_database(work)
    assert clock.now == 0


@pytest.mark.parametrize(
    "name", sorted({alias for name in FIXED for alias in _ConfigAliases.get(name)})
)
def test_what_makes_runs_repeat_is_fixed_by_every_name_that_it_has(name: str) -> None:
    with pytest.raises(PermanentError, match=f"hyperparameters.{name}: it is fixed"):
        read_boosting({name: "3"}, 7)


LAST = {"AAPL": datetime(2017, 1, 3, tzinfo=UTC)}


def _refuse(*_: object) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.mark.parametrize("links", [True, False])
def test_the_first_word_on_the_reach_of_the_data_holds_on_any_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _refuse)
    assert keep_reach(tmp_path, LAST, 1)
    assert not keep_reach(tmp_path, {"AAPL": datetime(2018, 1, 3, tzinfo=UTC)}, 2)
    assert read_reach(tmp_path) == LAST
    assert [path.name for path in tmp_path.iterdir()] == ["reach.json"]


def test_an_attempt_ends_when_a_later_one_or_a_later_run_has_begun(tmp_path: Path) -> None:
    first = claim_attempt(tmp_path / "7")
    first.check()
    second = claim_attempt(tmp_path / "7")
    with pytest.raises(FencedError, match="attempt 2 has begun"):
        first.check()
    (tmp_path / "10").mkdir()
    with pytest.raises(FencedError, match="another run has begun"):
        second.check()
    first.close()
    second.close()
