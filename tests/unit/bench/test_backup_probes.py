"""Which queries count while somebody backs up, and who begins."""

import json
import logging

import pytest

from bench.backups.probes import Query, Span, find_phase, summarize
from bench.backups.run import take_turns
from bench.errors import BenchError
from trading_backup.log_format import JsonFormatter
from trading_backup.progress import Progress
from trading_backup.secret_files import SecretFiles


def test_queries_count_that_were_asked_in_the_span_also_when_the_answer_came_after_it() -> None:
    before, after = Query(9.9, 5.0), Query(20.0, 5.0)
    inside = [Query(10.0, 0.001), Query(15.0, 0.002), Query(19.9, 0.5)]
    waits = summarize([before, *inside, after], Span(10.0, 20.0))
    assert waits.queries == 3
    assert waits.median == pytest.approx(2.0)
    assert 2.0 < waits.high <= 500.0


def test_percentiles_of_one_query_are_refused() -> None:
    with pytest.raises(BenchError, match=r"only 1 queries .* --rows"):
        summarize([Query(10.0, 0.001)], Span(10.0, 20.0))


def test_a_phase_is_found_in_the_log_that_a_job_writes(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress()
    with caplog.at_level(logging.INFO, "trading_backup"):
        progress.enter("Holding")
        progress.enter_targets("Dumping", ("db",))
        logging.getLogger("trading_backup.backup").info("target dumped")
        progress.enter_targets("ReadingBack", ("db",))
    times = [record.created for record in caplog.records]
    formatter = JsonFormatter(SecretFiles())
    log = "\n".join(["images: unpacked", *map(formatter.format, caplog.records)])
    span = find_phase(log, "Dumping")
    # Microseconds are what the log keeps.
    assert span.began == pytest.approx(times[1], abs=1e-5)
    assert span.ended == pytest.approx(times[3], abs=1e-5)


def test_a_phase_that_did_not_end_is_none() -> None:
    line = {"event": "phase begins", "phase": "Dumping", "timestamp": "2026-11-30T12:00:00+00:00"}
    with pytest.raises(BenchError, match="phase Dumping"):
        find_phase(json.dumps(line), "Dumping")


def test_each_repetition_begins_with_another_one() -> None:
    begun: list[str] = []

    def begin(name: str) -> int:
        begun.append(name)
        return len(name)

    works = {name: lambda name=name: begin(name) for name in ("idle", "plain", "our")}
    orders = []
    for repetition in range(4):
        begun.clear()
        assert take_turns(repetition, works) == {"idle": 4, "plain": 5, "our": 3}
        orders.append("-".join(begun))
    assert orders == ["idle-plain-our", "plain-our-idle", "our-idle-plain", "idle-plain-our"]
