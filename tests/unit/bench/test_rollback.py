"""What the bench of the ways back makes of watches, polls and requests, and what it compares."""

from dataclasses import astuple
from typing import Any

import pytest

from bench.audit import Request
from bench.errors import BenchError
from bench.rollback.arithmetic import (
    Downtime,
    Poll,
    describe_since,
    find_first_after,
    find_last_before,
    measure_downtime,
)
from bench.rollback.failures import BY_KIND, FAILURES, GOOD, Signal, Version, build_bad
from bench.rollback.figures import after, read_lead
from bench.rollback.objects import build_release, build_system, version_of
from bench.rollback.ours import build_reaction
from bench.rollback.parameters import Parameters
from bench.rollback.records import Sample, Storm
from bench.rollback.reports import (
    EVENTS,
    PODS,
    SYSTEMS,
    Sighting,
    find_reports,
    find_restored,
    find_told,
)
from bench.rollback.run import plan_turns
from bench.rollback.storm_systems import Target, find_sample, find_wave, name_targets
from bench.subjects import HELM, OURS

BAD = build_bad(BY_KIND["crash"], "crash-0")
KUBELET, OPERATOR = "system:node:n", "operator"


def build_pod(name: str, version: Version, *, ready: bool = False, **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"env": [{"name": "VERSION", "value": version.name}]}]},
        "status": {"conditions": conditions, **status},
    }


def seen_pod(at: float, pod: dict[str, Any], kind: str = "MODIFIED") -> Sighting:
    return Sighting(at, PODS, kind, pod)


def seen_event(at: float, pod: str, message: str, count: int = 1, **more: Any) -> Sighting:
    event = {
        "metadata": {"name": f"{pod}.{more.pop('suffix', '1')}"},
        "involvedObject": {"kind": "Pod", "name": pod},
        "message": message,
        "count": count,
        "reason": "Unhealthy",
        **more,
    }
    return Sighting(at, EVENTS, "MODIFIED", event)


def crashed(exit_code: int = 1) -> dict[str, Any]:
    state = {"terminated": {"exitCode": exit_code, "reason": "Error"}}
    return {"containerStatuses": [{"name": "main", "state": state}]}


def request(
    user: str, resource: str, name: str, at: float, took: float = 0.1, **more: Any
) -> Request:
    fields = {"verb": "patch", "subresource": "", "namespace": "ns", "code": 200, **more}
    return Request(user=user, resource=resource, name=name, received=at, done=at + took, **fields)


def poll(asked: float, version: str = "good") -> Poll:
    return Poll(asked, asked + 0.01, version)


# Reports


def test_the_first_container_that_ended_badly_decides() -> None:
    reports = find_reports(
        [
            seen_pod(3.0, build_pod("new", BAD, **crashed())),
            seen_pod(1.0, build_pod("new", BAD)),
            seen_pod(2.0, build_pod("old", GOOD, **crashed())),
        ],
        BAD,
        Signal.CONTAINER,
    )
    assert [(each.seen, each.name, each.decides) for each in reports] == [(3.0, "new", True)]


def test_a_container_that_ended_well_or_was_told_to_end_is_no_failure() -> None:
    ended_well = build_pod("new", BAD, **crashed(0))
    told = build_pod("new", BAD, **crashed(137))
    told["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    sightings = [seen_pod(1.0, ended_well), seen_pod(2.0, told)]
    assert find_reports(sightings, BAD, Signal.CONTAINER) == []


def test_an_event_of_a_failed_pull_comes_first_and_the_status_decides() -> None:
    waiting = {"reason": "ErrImagePull", "message": "not found"}
    missing = build_pod("new", BAD, containerStatuses=[{"state": {"waiting": waiting}}])
    reports = find_reports(
        [
            seen_pod(1.0, build_pod("new", BAD)),
            seen_event(2.0, "new", "Failed to pull image", reason="Failed"),
            seen_pod(3.0, missing),
        ],
        BAD,
        Signal.CONTAINER,
    )
    assert [(each.seen, each.decides) for each in reports] == [(2.0, False), (3.0, True)]


def test_a_probe_decides_when_it_failed_as_often_as_its_threshold() -> None:
    reports = find_reports(
        [
            seen_pod(1.0, build_pod("new", BAD)),
            seen_event(2.0, "new", "Startup probe failed: refused"),
            seen_event(3.0, "new", "Readiness probe failed: refused"),
            seen_event(3.5, "old", "Readiness probe failed: refused", 7),
            seen_event(4.0, "new", "Readiness probe failed: 404", suffix="2"),
        ],
        BAD,
        Signal.READINESS,
    )
    assert [(each.seen, each.decides) for each in reports] == [(3.0, False), (4.0, True)]


def test_all_is_well_again_when_every_pod_is_a_ready_one_of_the_old_version() -> None:
    gone = build_pod("new", BAD)
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    sightings = [
        seen_pod(1.0, build_pod("a", GOOD, ready=True)),
        seen_pod(1.1, build_pod("b", GOOD, ready=True)),
        seen_pod(2.0, build_pod("new", BAD, **crashed())),
        seen_pod(3.0, build_pod("b", GOOD, ready=False)),
        seen_pod(4.0, gone),
        seen_pod(5.0, build_pod("b", GOOD, ready=True)),
    ]
    assert find_restored(sightings, GOOD, 2, 2.0) == 5.0
    assert find_restored(sightings[:-1], GOOD, 2, 2.0) is None


def test_a_status_tells_of_a_way_back_after_the_failure_alone() -> None:
    def seen_system(at: float, phase: str) -> Sighting:
        return Sighting(at, SYSTEMS, "MODIFIED", {"status": {"rollout": {"phase": phase}}})

    sightings = [seen_system(1.0, "RolledBack"), seen_system(3.0, "RollingBack")]
    assert find_told(sightings, 2.0) is None
    assert find_told([*sightings, seen_system(4.0, "RolledBack")], 2.0) == 4.0
    assert find_reports(sightings, BAD, Signal.READINESS) == []


# Polls


def test_the_longest_gap_lies_between_a_failed_question_and_the_next_answer() -> None:
    polls = [poll(0.0), poll(1.0, ""), poll(2.0, ""), poll(3.5), poll(4.0, ""), poll(4.5)]
    assert measure_downtime(reversed(polls)) == Downtime(6, 3, 2.5)


def test_nobody_noticed_anything() -> None:
    assert measure_downtime([poll(0.0), poll(1.0)]) == Downtime(2, 0, 0.0)


def test_a_gap_without_an_end_lasts_until_nobody_asked_any_more() -> None:
    assert measure_downtime([poll(0.0), poll(1.0, "")]).longest == pytest.approx(0.01)


# Requests


def test_a_report_is_of_the_last_write_before_it_was_seen() -> None:
    writes = [
        request(KUBELET, "pods", "p", 1.0, subresource="status"),
        request(KUBELET, "pods", "p", 2.0, subresource="status"),
        request(KUBELET, "pods", "p", 3.0, subresource="status"),
        request(KUBELET, "pods", "other", 2.1, subresource="status"),
        request(KUBELET, "pods", "p", 2.2, code=409),
    ]
    found = find_last_before(writes, "pods", "p", 2.5)
    assert found is not None
    assert found.received == 2.0
    assert find_last_before(writes, "pods", "p", 0.5) is None


def test_the_first_write_after_it_leaves_statuses_and_refusals_out() -> None:
    writes = [
        request(OPERATOR, "deployments", "desk-web", 1.0),
        request(OPERATOR, "deployments", "desk-web", 2.1, code=409),
        request(OPERATOR, "deployments", "desk-web", 2.2, subresource="status"),
        request(OPERATOR, "deployments", "desk-web", 2.3),
    ]
    found = find_first_after(writes, "deployments", "desk-web", 2.0)
    assert found is not None
    assert found.received == 2.3


def test_a_reaction_counts_from_the_earlier_of_two_clocks() -> None:
    reports = find_reports(
        [
            seen_pod(1.0, build_pod("new", BAD)),
            seen_event(2.05, "new", "Liveness probe failed", 1),
            seen_event(3.05, "new", "Liveness probe failed", 2),
        ],
        BAD,
        Signal.LIVENESS,
    )
    kubelet = [
        request(KUBELET, "events", "new.1", 2.0, verb="create"),
        request(KUBELET, "events", "new.1", 3.0),
    ]
    operator = [
        request(OPERATOR, "controllerrevisions", "desk-abc", 3.11, 0.01),
        request(OPERATOR, "deployments", "desk-web", 3.13, 0.01),
    ]
    found = build_reaction(reports[0], reports[1], kubelet, operator)
    row = {"reaction": vars(found)}
    # The watch told of both before they were answered.
    assert after("first", "rollback")(row) == pytest.approx(1090)
    assert after("decided", "rollback")(row) == pytest.approx(90)
    assert after("decided", "verdict")(row) == pytest.approx(70)
    assert read_lead(row) == pytest.approx(50)
    with pytest.raises(BenchError, match="not touched"):
        build_reaction(reports[0], reports[1], kubelet, operator[:1])


def test_a_sample_is_of_the_first_word_about_a_pod_after_the_bad_change() -> None:
    target = Target("bench-0", "victim-0001")
    place: dict[str, Any] = {"namespace": "bench-0"}
    kubelet = [
        request("kwok", "pods", "victim-0001-web-1-a", 1.0, subresource="status", **place),
        request("kwok", "pods", "victim-0001-web-2-b", 3.0, subresource="status", **place),
        request("kwok", "pods", "victim-0002-web-2-b", 2.5, subresource="status", **place),
    ]
    operator = [
        request(OPERATOR, "deployments", "victim-0001-web", 2.0, **place),
        request(OPERATOR, "controllerrevisions", "victim-0001-x", 3.2, **place),
        request(OPERATOR, "deployments", "victim-0001-feed", 3.3, **place),
    ]
    found = find_sample(target, 2.0, kubelet, operator)
    assert found is not None
    assert astuple(found) == pytest.approx((3.1, 3.3, 3.4))
    assert find_sample(target, 3.0, kubelet, operator) is None


def test_a_wave_lasts_until_the_last_write_about_the_others() -> None:
    writes = [
        request(OPERATOR, "deployments", "other-0001-web", 5.0),
        request(OPERATOR, "deployments", "victim-0001-web", 9.0),
        request(OPERATOR, "deployments", "other-0001-web", 1.0),
    ]
    assert list(find_wave(2.0, writes)) == pytest.approx([2.0, 5.1])
    storm = Storm(1, storm=[Sample(3.0, None, 3.1), Sample(6.0, None, 6.1)], waves=[(2.0, 5.1)])
    assert [each.failed for each in storm.samples_in_waves()] == [3.0]


def test_targets_are_spread_over_the_namespaces() -> None:
    targets = name_targets("other", 10, 8)
    assert len(set(targets)) == 10
    assert len({each.namespace for each in targets}) == 8


# What is measured


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: each.kind)
def test_every_bad_change_differs_from_the_good_version_in_what_it_is_about(failure: Any) -> None:
    bad = build_bad(failure, "bad")
    differing = {name for name in vars(GOOD) if getattr(bad, name) != getattr(GOOD, name)}
    assert differing == {"name", *failure.changes}


def test_the_program_fits_into_an_argument() -> None:
    (service,) = build_system(GOOD, 15)["spec"]["services"]
    assert len(service["command"][2]) <= 4096


def build_live() -> tuple[dict[str, Any], dict[str, Any]]:
    """Build a Deployment and a Service as the operator's are."""
    labels = {"app.kubernetes.io/managed-by": "trading-operator"}
    container = {
        "image": GOOD.image,
        "env": [{"name": "VERSION", "value": "good"}, {"name": "FAILS"}],
        "readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 1},
        "resources": {"limits": {"memory": "128Mi"}},
        "volumeMounts": [{"name": "settings", "mountPath": "/app/config"}],
    }
    spread = [{"topologyKey": "zone", "labelSelector": {"matchLabels": labels}}]
    pod = {
        "containers": [container],
        "topologySpreadConstraints": spread,
        "volumes": [
            {"name": "settings", "configMap": {"name": "desk-settings-1"}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    template = {"metadata": {"labels": labels, "annotations": {"revision": "1"}}, "spec": pod}
    deployment = {
        "metadata": {"name": "desk-web", "ownerReferences": [{"uid": "1"}]},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }
    ports = [{"name": "http", "port": 8080, "targetPort": "http"}]
    service = {"spec": {"clusterIP": "10.96.0.7", "selector": labels, "ports": ports}}
    return deployment, service


def test_a_release_has_the_operators_pods_and_nothing_that_is_the_operators() -> None:
    live = build_live()
    bad = build_bad(BY_KIND["probe"], "probe-0")
    settings, deployment, service = build_release(*live, bad)
    assert "trading-operator" not in str([settings, deployment, service])
    assert "clusterIP" not in service["spec"]
    assert "ownerReferences" not in deployment["metadata"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"] == {"httpGet": {"path": "/nowhere"}, "periodSeconds": 1}
    assert version_of(deployment["spec"]["template"]) == "probe-0"
    (volume, _) = deployment["spec"]["template"]["spec"]["volumes"]
    assert volume["configMap"]["name"] == settings["metadata"]["name"]
    assert live == build_live()  # the next version is made of the same ones


def test_another_config_rolls_the_pods_of_a_release() -> None:
    def checksum(version: Version) -> str:
        deployment = build_release(*build_live(), version)[1]
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    assert checksum(GOOD) != checksum(build_bad(BY_KIND["config"], "good"))


def test_subjects_take_turns_and_in_who_is_first_as_well() -> None:
    turns = plan_turns(Parameters(runs=3, helm_runs=2))
    assert len(turns) == 6 * (3 + 2)
    firsts = {run: next(who for at, _, who in turns if at == run) for run in range(2)}
    assert firsts == {0: OURS, 1: HELM}


def test_a_kind_that_nobody_knows_is_refused_with_those_that_are() -> None:
    with pytest.raises(BenchError, match=r"flood.*image, crash"):
        Parameters(kinds="crash,flood").check()
    assert [each.kind for each in Parameters(kinds="hang,crash").failures] == ["crash", "hang"]


def test_what_the_operator_asked_in_between_is_told_in_order() -> None:
    requests = [
        request(OPERATOR, "deployments", "desk-web", 2.5),
        request(OPERATOR, "controllerrevisions", "desk-abc", 2.25),
        request(OPERATOR, "tradingsystems", "desk", 2.75, subresource="status"),
        request(OPERATOR, "deployments", "desk-web", 1.0),
    ]
    assert describe_since(requests, 2.0, 2.7) == [
        "250.0-350.0 ms: patch controllerrevisions/desk-abc 200",
        "500.0-600.0 ms: patch deployments/desk-web 200",
    ]
