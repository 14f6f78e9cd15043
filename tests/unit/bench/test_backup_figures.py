"""Figures of backups beside the plain tools: ratios of one repetition, and what misses its aim."""

from dataclasses import asdict
from typing import Any

import pytest

from bench.backups.parameters import Parameters
from bench.backups.probes import Waits
from bench.backups.records import Increment, Record
from bench.backups.results import SECTION, build_goals, render_result
from bench.errors import BenchError

MACHINE = {
    "date": "2026-11-30",
    "commit": "c0ffee",
    "cpu": "2 x CPU",
    "memory": "24 GiB",
    "kernel": "6",
}


def row(repetition: int, plain: float, ours: float) -> dict[str, Any]:
    """Return a repetition in which ours takes so long, and the plain tool so long."""
    return asdict(
        Record(
            repetition=repetition,
            load=0.1,
            database_bytes=300 << 20,
            gzip_dump=4 * plain,
            gzip_dump_bytes=110 << 20,
            plain_dump=plain,
            plain_dump_bytes=105 << 20,
            plain_restore=plain,
            plain_copy=plain,
            dump=ours,
            dump_run=2 * ours,
            dump_added_bytes=100 << 20,
            restore=ours,
            copy=ours,
            copy_run=2 * ours,
            copy_bytes=320 << 20,
            chain_restore=3 * ours,
            increments=[Increment(2.0, 30 << 20, 3 << 20)],
            waits={name: Waits(1000, 0.5, 2.0) for name in ("idle", "plain", "ours")},
        )
    )


def test_a_ratio_is_of_one_repetition_so_that_the_machines_drift_falls_out() -> None:
    rows = [row(0, 10, 11), row(1, 100, 110), row(2, 1, 5)]
    goals = build_goals(rows)
    assert [goal.value for goal in goals] == pytest.approx([1.1] * 3)
    assert {goal.verdict for goal in goals} == {"reached"}
    missed = build_goals([row(0, 10, 12)])
    assert {goal.verdict for goal in missed} == {"missed"}


def test_the_page_says_what_was_measured_on_what() -> None:
    parameters = asdict(Parameters())
    text = render_result(
        {"machine": MACHINE, "parameters": parameters, "records": [row(0, 10, 11)]}
    )
    assert "3,000,000 rows, 1 repetitions" in text
    assert "| increment, MiB copied | 30.0 |" in text
    assert "| while our Job reads the data of a first backup | 1000 | 0.50 | 2.00 |" in text


def test_the_goal_of_dumps_is_judged_beside_the_compression_of_restic_and_gzip_is_shown() -> None:
    text = render_result(
        {"machine": MACHINE, "parameters": asdict(Parameters()), "records": [row(0, 10, 12)]}
    )
    assert "| dump / pg_dump -Fc --compress=zstd | ≤ 1.15 | 1.20 | missed |" in text
    assert "| dump, s; plain: pg_dump -Fc, which compresses with gzip | 40.0 | 12.0 |" in text


def test_the_page_is_that_of_the_result() -> None:
    SECTION.check()


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"repetitions": 0}, {"increments": -1}])
def test_a_size_that_says_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BenchError, match=f"--{next(iter(wrong))}"):
        Parameters(**wrong).check()
