"""kill -9 at any moment: the venue ends up with exactly the orders of an undisturbed run."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.market_fixtures import open_market
from services.order_trace import Trace, find_differences, find_strays, read_trace
from services.strategy_runs import StrategyRuns
from services.timescale_server import TimescaleServer
from services.trading_world import World

RecordProperty = Callable[[str, object], None]

SEED = 20261121
RANDOM_KILLS = 20
# Every fifth kill may hit the start-up; the others come after a bar was decided.
START_UP_EVERY = 5
LEAST_PROGRESSED = 15
# However fast the machine, the bars must last for all kills.
MOST_BARS = 200

# Every write of the journal and of the venue, just before and just after it.
POINTS = (
    "Journal.acquire:after:1",
    "PaperBroker.claim:after:1",
    "PaperBroker.read_orders:after:1",
    "Journal.write_decision:before:40",
    "Journal.write_decision:after:60",
    "Journal.write_state:before:3",
    "Journal.write_state:after:5",
    "PaperBroker.submit:before:4",
    "PaperBroker.submit:after:6",
    "Journal.write_state:after:8",
    "Journal.write_entry_fill:before:3",
    "Journal.write_entry_fill:after:2",
    "Journal.write_exit_fill:before:2",
    "Journal.write_exit_fill:after:3",
)

# The strategy's own connections and its venue's, but not this test's.
CUT_STRATEGY = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'trading-strategy'
"""

LONG = World(bars=2400)
SHORT = World(symbols=("AAPL", "MSFT"), bars=900)


@pytest.fixture(scope="module")
def undisturbed_long(
    timescaledb: TimescaleServer, tmp_path_factory: pytest.TempPathFactory
) -> Trace:
    return _run_undisturbed(timescaledb, LONG, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def undisturbed_short(
    timescaledb: TimescaleServer, tmp_path_factory: pytest.TempPathFactory
) -> Trace:
    return _run_undisturbed(timescaledb, SHORT, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def long_market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, LONG, tmp_path) as runs:
        yield runs


@pytest.fixture
def short_market(timescaledb: TimescaleServer, tmp_path: Path) -> Iterator[StrategyRuns]:
    with open_market(timescaledb, SHORT, tmp_path) as runs:
        yield runs


def _run_undisturbed(server: TimescaleServer, world: World, folder: Path) -> Trace:
    with open_market(server, world, folder) as runs:
        runs.run_to_end()
        return read_trace(runs.database)


def _kill_at_random_moments(runs: StrategyRuns, seed: int) -> None:
    moments = random.Random(seed)
    progressed = 0
    for number in range(RANDOM_KILLS):
        decided = runs.count_decided()
        service = runs.start()
        if number % START_UP_EVERY:
            # The imports take longer than the work: from here on every moment is one of trading.
            runs.wait_for_more(decided, service)
        _wait(runs, seconds=moments.uniform(0.0, 0.6), bars=moments.randint(1, MOST_BARS))
        assert not runs.finished(), "the world is too small: nothing was left to be killed"
        assert service.process.poll() is None, service.read_output()[-2000:]
        service.kill()
        progressed += runs.count_decided() > decided
    assert progressed >= LEAST_PROGRESSED


def _wait(runs: StrategyRuns, seconds: float, bars: int) -> None:
    """Wait for the time or the number of newly decided bars, whichever comes first."""
    deadline = time.monotonic() + seconds
    enough = runs.count_decided() + bars
    while time.monotonic() < deadline and runs.count_decided() < enough:
        time.sleep(0.005)


@pytest.mark.acceptance("A05")
def test_kills_at_random_and_at_planted_moments_leave_the_orders_of_an_undisturbed_run(
    long_market: StrategyRuns, undisturbed_long: Trace, record_property: RecordProperty
) -> None:
    record_property("seed", SEED)
    print(f"seed {SEED}")  # noqa: T201 - who repeats a failure needs it
    for point in POINTS:
        long_market.run_to_death(point)
    _kill_at_random_moments(long_market, SEED)
    long_market.run_to_end()
    actual = read_trace(long_market.database)
    assert undisturbed_long.rows["venue"] > 100
    assert find_differences(undisturbed_long, actual) == []
    assert actual.rows == undisturbed_long.rows


SENT_UNJOURNALED, RETRIED_ANEW, FORGOTTEN = (
    "PaperBroker.submit:after:5",
    "PaperBroker.submit:after:1",
    "PaperBroker.submit:before:3",
)


def _restart(runs: StrategyRuns, bug: str) -> set[str]:
    """Run on until the bug makes a turn fail; return the orders that only one side has."""
    service = runs.start(plant=bug)
    service.wait_for("/readyz", lambda _: "turn failed" in runs.output.read_text())
    service.kill()
    return find_strays(read_trace(runs.database))


def test_an_order_that_a_planted_bug_sends_before_journaling_it_is_found(
    short_market: StrategyRuns, undisturbed_short: Trace
) -> None:
    short_market.run_to_death(SENT_UNJOURNALED, plant="send-before-journal")
    (stray,) = _restart(short_market, "send-before-journal")
    actual = read_trace(short_market.database)
    assert stray in {row[0] for row in actual.venue}
    assert "venue and journal differ: 1 rows" in find_differences(undisturbed_short, actual)
    assert _read_halt(short_market) == f"ReconcileMismatch: UnknownToJournal({stray})"


def test_a_planted_new_id_for_a_retry_is_found_as_an_order_too_many(
    short_market: StrategyRuns, undisturbed_short: Trace
) -> None:
    short_market.run_to_death(RETRIED_ANEW, plant="random-ids")
    _restart(short_market, "random-ids")
    actual = read_trace(short_market.database)
    ((stray, *_),) = actual.venue
    assert stray not in {row[0] for row in undisturbed_short.venue}
    extra = [one for one in find_differences(undisturbed_short, actual) if "venue extra" in one]
    assert stray in extra[0]
    assert _read_halt(short_market) == f"ReconcileMismatch: UnknownToJournal({stray})"


def test_an_order_that_a_planted_bug_forgets_is_found_as_lost_at_the_venue(
    short_market: StrategyRuns, undisturbed_short: Trace
) -> None:
    short_market.run_to_death(FORGOTTEN, plant="forgotten-order")
    (lost,) = find_strays(read_trace(short_market.database))
    assert lost in _restart(short_market, "forgotten-order")
    wanted = {row[0] for row in undisturbed_short.venue}
    actual = read_trace(short_market.database)
    assert lost in wanted - {row[0] for row in actual.venue}
    assert lost in {row[0] for row in actual.journal}


@pytest.mark.parametrize("point", [SENT_UNJOURNALED, RETRIED_ANEW, FORGOTTEN])
def test_without_a_bug_the_same_kill_leaves_nothing_to_find(
    short_market: StrategyRuns, undisturbed_short: Trace, point: str
) -> None:
    short_market.run_to_death(point)
    short_market.run_to_end()
    actual = read_trace(short_market.database)
    assert find_strays(actual) == set()
    assert find_differences(undisturbed_short, actual) == []
    assert not short_market.halted()


def _read_halt(runs: StrategyRuns) -> str:
    return str(runs.database.query("SELECT reason FROM trading_halts")[0][0]).partition(" (")[0]


def test_connections_that_the_server_cuts_lose_and_double_nothing(
    short_market: StrategyRuns, undisturbed_short: Trace
) -> None:
    moments = random.Random(SEED)
    service = short_market.start()
    cuts = 0
    while not short_market.finished() and cuts < 3:
        time.sleep(moments.uniform(0.05, 0.3))
        cuts += short_market.database.query(CUT_STRATEGY)[0][0] > 0
    short_market.wait_for_end(service)
    service.stop()
    assert cuts > 0
    assert find_differences(undisturbed_short, read_trace(short_market.database)) == []
