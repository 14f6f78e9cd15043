"""What the bench of the ways back makes of its records: medians, tables, goals, the page."""

from typing import Any

import pytest

from bench.errors import BenchError
from bench.rollback.arithmetic import percentile
from bench.rollback.figures import (
    NEVER,
    build_comparison,
    build_goals,
    build_reactions,
    build_storm,
    summarize,
    summarize_downtime,
    until,
)
from bench.rollback.results import SECTION, render_result
from bench.subjects import HELM, OURS


def build_row(subject: str, kind: str = "crash", **more: Any) -> dict[str, Any]:
    reaction = {
        "first": 1.0,
        "first_seen": 1.0,
        "decided": 1.5,
        "decided_seen": 1.5,
        "verdict": 1.51,
        "rollback": 1.52,
    }
    return {
        "subject": subject,
        "kind": kind,
        "load": 0.1,
        "applied": 0.0,
        "restored": 3.0,
        "told_back": 4.0,
        "polls": 100,
        "failed_polls": 0,
        "longest_gap": 0.0,
        "reaction": reaction if subject == OURS else None,
        **more,
    }


def test_median_and_worst_know_what_never_came() -> None:
    rows = [build_row(HELM, restored=each) for each in (2.0, 4.0, None)]
    assert summarize(rows, until("restored"), 1) == f"4.0 / {NEVER}"
    assert summarize(rows[:2], until("restored"), 1) == "3.0 / 4.0"
    assert summarize(rows[2:], until("restored"), 1) == NEVER
    assert summarize([], until("restored"), 1) == ""


def test_downtime_is_that_of_the_worst_run() -> None:
    rows = [build_row(OURS), build_row(OURS, failed_polls=3, longest_gap=0.21)]
    assert summarize_downtime(rows) == "3 of 100, 0.21 s"
    assert summarize_downtime(rows[:1]) == "none"


def test_the_smallest_value_that_99_of_100_do_not_exceed() -> None:
    values = [float(each) for each in range(1, 201)]
    assert percentile(values, 0.99) == 198
    assert percentile(values, 0.5) == 100
    assert percentile([7.0], 0.99) == 7.0


def test_tables_have_a_line_for_each_kind_that_was_measured() -> None:
    rows = [build_row(OURS), build_row(HELM, restored=None), build_row(OURS, "hang")]
    assert [line.split(" | ")[0] for line in build_reactions(rows)[2:]] == [
        "| program that crashes at start",
        "| worker that hangs after start",
    ]
    assert build_comparison(rows)[2:] == [
        f"| program that crashes at start | 3.0 / 3.0 | {NEVER} | none | none |"
    ]


def test_goals_say_what_nobody_measured() -> None:
    storm = {"storm": [{"failed": 1.0, "verdict": 1.1, "rollback": 1.3}], "waves": [[0.0, 2.0]]}
    verdicts = [goal.verdict for goal in build_goals([build_row(OURS)], {**storm, "systems": 1})]
    assert verdicts == ["reached", "reached", "missed", "reached", "not measured"]
    assert [goal.verdict for goal in build_goals([], None)] == ["not measured"] * 5


def test_samples_outside_of_the_waves_are_left_out() -> None:
    samples = [
        {"failed": 1.0, "verdict": None, "rollback": 1.3},
        {"failed": 3.0, "verdict": None, "rollback": 9.0},
    ]
    storm = {"systems": 200, "idle": [], "storm": samples, "waves": [[0.0, 2.0]]}
    assert build_storm(storm)[2:] == [
        "| while 200 others change: report to workload | 1 | 300.0 | 300.0 | 300.0 |"
    ]


def test_a_result_tells_its_machine_its_size_and_only_the_tables_that_it_has() -> None:
    names = ("date", "commit", "cpu", "memory", "kernel", "kubernetes", "helm")
    result = {
        "machine": dict.fromkeys(names, "1"),
        "parameters": {"runs": 5, "helm_runs": 2, "helm_timeout_seconds": 60},
        "records": [build_row(OURS)],
        "storm": None,
    }
    text = render_result(result)
    assert "5 runs of each failure kind (2 of Helm)" in text
    assert "program that crashes at start" in text
    assert "Helm: client noticed" not in text
    assert "Fake nodes" not in text


def test_a_page_without_marks_is_refused() -> None:
    begin, end = SECTION.begin, SECTION.end
    assert SECTION.put(f"a\n{begin}\nold\n{end}\nb", None) == f"a\n{begin}\n{end}\nb"
    with pytest.raises(BenchError, match="lacks the line"):
        SECTION.put("a", None)


def test_the_page_says_what_the_result_says() -> None:
    SECTION.check()
