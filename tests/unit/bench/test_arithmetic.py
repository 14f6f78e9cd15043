"""What the bench makes of an audit log and of records."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.audit import AuditReader, Request, count_requests
from bench.figures import build_goals, medians, ratios
from bench.measure import build_backlog
from bench.parameters import Parameters
from bench.records import Usage
from bench.results import check, render_result
from bench.run import plan_order
from bench.subjects import FLOOR_GO, FLOOR_PYTHON, GO_WIDE, HELM, OURS
from bench.workload import System, empty, fill

USER = "system:serviceaccount:bench-subjects:trading-operator"


def build_event(verb: str, resource: str, second: int, code: int = 201, **more: Any) -> str:
    event = {
        "stage": "ResponseComplete",
        "user": {"username": USER},
        "verb": verb,
        "objectRef": {"resource": resource, "namespace": "bench-0", "name": "x"},
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": f"2026-01-01T00:00:{second:02d}.000000Z",
        "stageTimestamp": f"2026-01-01T00:00:{second:02d}.500000Z",
    }
    return json.dumps({**event, **more}) + "\n"


def read_log(path: Path, *lines: str) -> list[Request]:
    path.write_text("".join(lines))
    return AuditReader(path, USER).read()


def build_record(subject: str, repetition: int, seconds: float, writes: int = 26) -> dict[str, Any]:
    backlog = {
        "systems": 1,
        "children": 25,
        "seconds_to_children": seconds,
        "seconds_to_status": seconds + 1,
        "child_seconds": seconds,
        "writes": writes,
        "requests": {"create services": 25},
        "usage": {"cpu_seconds": seconds, "server_cpu_seconds": {"etcd": 1.0}, "peak_bytes": None},
    }
    return {
        "subject": subject,
        "repetition": repetition,
        "load": 0.5,
        "backlog": backlog,
        "settled_bytes": None,
        "latencies": [],
        "restart": None,
    }


def test_a_backlog_counts_children_and_status_and_leaves_leases_out(tmp_path: Path) -> None:
    status = {"objectRef": {"resource": "tradingsystems", "subresource": "status"}}
    requests = read_log(
        tmp_path / "audit.log",
        build_event("create", "leases", 1),
        build_event("create", "services", 2),
        build_event("create", "deployments", 4),
        build_event("patch", "tradingsystems", 6, 200, **status),
        build_event("create", "services", 8, user={"username": f"{USER}-2"}),
    )
    started = requests[0].received - 1
    backlog = build_backlog(requests, started, (1, 2), Usage(1.0, {}))
    assert backlog.writes == 3
    assert backlog.child_seconds == pytest.approx(2.5)
    assert backlog.seconds_to_children == pytest.approx(4.5)
    assert backlog.seconds_to_status == pytest.approx(6.5)
    assert backlog.requests == {
        "create deployments": 1,
        "create services": 1,
        "patch tradingsystems/status": 1,
    }


def test_refused_requests_are_counted_apart_and_make_no_child(tmp_path: Path) -> None:
    requests = read_log(tmp_path / "log", build_event("create", "services", 1, 409))
    assert count_requests(requests) == {"create services 409": 1}
    assert requests[0].writes
    assert not requests[0].makes_child


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path, line = tmp_path / "log", build_event("create", "services", 1)
    path.write_text(line + line[:40])
    reader = AuditReader(path, USER)
    assert len(reader.read()) == 1
    path.write_text(line + line)
    assert len(reader.read()) == 2


def test_ratios_are_of_one_repetition_so_that_a_slow_one_changes_nothing() -> None:
    rows = [
        build_record(name, repetition, seconds * slow)
        for name, seconds in ((OURS, 2.0), (GO_WIDE, 4.0))
        for repetition, slow in enumerate((1.0, 10.0, 1.0))
    ]

    def read(row: Any) -> float:
        return float(row["backlog"]["seconds_to_children"])

    assert ratios(rows, read, OURS, GO_WIDE) == [0.5, 0.5, 0.5]
    assert medians(rows, read) == {OURS: 2.0, GO_WIDE: 4.0}


def test_goals_name_what_is_missed_and_what_nobody_measured() -> None:
    rows = [
        build_record(OURS, 0, 10.0, writes=27),
        build_record(GO_WIDE, 0, 5.0),
        build_record(FLOOR_PYTHON, 0, 9.0),
        build_record(FLOOR_GO, 0, 11.0),
    ]
    verdicts = {goal.title: goal.verdict for goal in build_goals(rows, 1)}
    assert verdicts["writes a new system: its children and one status"] == "missed"
    assert verdicts["GETs a new system"] == "reached"
    assert verdicts["backlog / controller-runtime, 32"] == "missed"
    assert verdicts[f"write rate / {FLOOR_PYTHON}"] == "reached"
    assert verdicts["latency / controller-runtime"] == "not measured"


def test_every_repetition_measures_every_subject_and_begins_with_another() -> None:
    order = [each for each in plan_order(Parameters(repetitions=3)) if each[1] != HELM]
    firsts = [next(name for at, name in order if at == repetition) for repetition in range(3)]
    assert len(set(firsts)) == 3
    assert len(order) == len(set(order)) == 3 * 5


def test_helm_is_measured_in_the_first_repetitions_alone() -> None:
    order = plan_order(Parameters(repetitions=5, helm_repetitions=2))
    assert [repetition for repetition, subject in order if subject == HELM] == [0, 1]


def test_names_come_back_as_they_were_put_in() -> None:
    system = System("system-00001", "bench-3", "6a1f0d4e")
    text = b'{"name": "SYSTEM-NAME-feed", "namespace": "SYSTEM-SPACE", "uid": "SYSTEM-UID"}'
    assert empty(fill(text, system), system) == text
    assert b"SYSTEM" not in fill(text, system)


def test_a_rendered_result_has_a_column_a_subject() -> None:
    machine = dict.fromkeys(
        [
            "date",
            "commit",
            "cpu",
            "memory",
            "kernel",
            "kubernetes",
            "etcd",
            "python",
            "go",
            "controllerRuntime",
            "helm",
        ],
        "1",
    )
    rows = [build_record(OURS, 0, 1.0), build_record(GO_WIDE, 0, 2.0)]
    result = {"machine": machine, "parameters": {"systems": 1}, "records": rows}
    assert f"| Median | {OURS} | {GO_WIDE} |" in render_result(result)


def test_the_page_says_what_the_results_say() -> None:
    check()
