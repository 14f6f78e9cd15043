"""Changes that fail go back by themselves, as a group, on a real API server."""

from typing import Any

import pytest

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system

OUTCOME = "tradingoperator.io/outcome"
STEPS = ("ChangeStarted", "RollingComponent", "ChangeFailed", "RolledBack")


def _desk(feed: str = "1", strategy: str = "1", **rollout: Any) -> dict[str, Any]:
    return build_system(
        "desk",
        [
            build_service("feed", "db", tag=feed, replicas=2),
            build_service("strategy", "feed", "db", tag=strategy, workload="SingleWriter"),
        ],
        [build_datastore("db")],
        rollout={"bakeTime": "0s", **rollout},
    )


def _start(namespace: Namespace, operators: Operators) -> None:
    operators.start_leading()
    namespace.apply("tradingsystems", _desk())
    eventually(lambda: namespace.is_ready("desk"), 60)
    eventually(lambda: "Good" in _outcomes(namespace).values())


def _status(namespace: Namespace) -> dict[str, Any]:
    status: dict[str, Any] = namespace.get("tradingsystems", "desk").get("status", {})
    return status


def _phase(namespace: Namespace) -> str:
    return str(_status(namespace).get("rollout", {}).get("phase", ""))


def _outcomes(namespace: Namespace) -> dict[str, str]:
    found = namespace.list("controllerrevisions", "app.kubernetes.io/part-of=desk")
    ours = (each for each in found if OUTCOME in each["metadata"]["labels"])
    return {each["metadata"]["name"]: each["metadata"]["labels"][OUTCOME] for each in ours}


def _images(namespace: Namespace) -> dict[str, str]:
    workloads = [*namespace.list("deployments"), *namespace.list("statefulsets")]
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0][
            "image"
        ].rpartition(":")[2]
        for each in workloads
        if each["metadata"]["name"] != "desk-db"
    }


def _is_back(namespace: Namespace) -> bool:
    return _phase(namespace) == "RolledBack"


@pytest.mark.acceptance("B03", "C60", "C24")
@pytest.mark.parametrize(
    ("failure", "reason"), [("pretend-crash", "Error"), ("pretend-missing", "ErrImagePull")]
)
def test_a_group_goes_back_when_its_last_component_fails(
    namespace: Namespace, operators: Operators, failure: str, reason: str
) -> None:
    _start(namespace, operators)
    good = _status(namespace)["revision"]
    claims = {each["metadata"]["uid"] for each in namespace.list("persistentvolumeclaims")}
    namespace.apply("tradingsystems", _desk("2", failure))
    eventually(lambda: _is_back(namespace), 60)
    assert _images(namespace) == {"desk-feed": "1", "desk-strategy": "1"}
    eventually(lambda: all(_ready(pod) for pod in namespace.list("pods")))
    status = _status(namespace)
    assert (status["revision"], status["lastGoodRevision"]) == (good, good)
    assert status["desiredRevision"] != good
    assert sorted(_outcomes(namespace).values()) == ["Failed", "Good"]
    said = {kind: namespace.condition("desk", kind) for kind in ("Available", "Ready", "Stalled")}
    assert {kind: each["status"] for kind, each in said.items()} == {
        "Available": "True",
        "Ready": "False",
        "Stalled": "True",
    }
    assert namespace.condition("desk", "RolledBack")["reason"] == reason
    assert "strategy" in namespace.condition("desk", "RolledBack")["message"]
    # Nothing of the data was touched, and it is not tried again.
    assert {each["metadata"]["uid"] for each in namespace.list("persistentvolumeclaims")} == claims
    writes = operators.settle(2.0)
    assert operators.settle(3.0) == writes
    told = [event["reason"] for event in namespace.list("events") if event.get("action")]
    assert set(STEPS) <= set(told)

    namespace.apply("tradingsystems", _desk("3", "3"))
    eventually(lambda: namespace.is_ready("desk"), 60)
    assert _images(namespace) == {"desk-feed": "3", "desk-strategy": "3"}


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _fail_probe(namespace: Namespace, component: str, count: int = 3) -> None:
    """Tell of failed probes of a component's pods that are not Ready, as a kubelet does."""
    selector = f"app.kubernetes.io/component={component}"
    for pod in namespace.list("pods", selector):
        if _ready(pod):
            continue
        metadata = pod["metadata"]
        about = {"kind": "Pod", "namespace": namespace.name, "apiVersion": "v1"}
        path = f"api/v1/namespaces/{namespace.name}/events"
        namespace.client.request(
            "POST",
            path,
            {
                "metadata": {"generateName": f"{metadata['name']}."},
                "involvedObject": {**about, "name": metadata["name"], "uid": metadata["uid"]},
                "reason": "Unhealthy",
                "type": "Warning",
                "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
                "count": count,
                "source": {"component": "kubelet"},
            },
        )


@pytest.mark.acceptance("E72")
def test_a_health_check_that_fails_past_its_threshold_goes_back(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    namespace.apply("tradingsystems", _desk("pretend-unready"))
    eventually(lambda: _images(namespace)["desk-feed"] == "pretend-unready")
    eventually(lambda: any(not _ready(pod) for pod in namespace.list("pods")))
    operators.settle(1.5)
    assert _phase(namespace) == "RollingOut"  # not Ready alone decides nothing
    _fail_probe(namespace, "feed")
    eventually(lambda: _is_back(namespace))
    back = namespace.condition("desk", "RolledBack")
    assert back["reason"] == "ProbesFailing"
    assert "statuscode: 503" in back["message"]


def test_old_pods_serve_until_the_way_back_is_done(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    before = {
        pod["metadata"]["uid"] for pod in namespace.list("pods", "app.kubernetes.io/component=feed")
    }
    namespace.apply("tradingsystems", _desk("pretend-crash"))
    eventually(lambda: _is_back(namespace), 60)
    after = {
        pod["metadata"]["uid"] for pod in namespace.list("pods", "app.kubernetes.io/component=feed")
    }
    assert before <= after


def test_a_retry_and_a_way_back_by_hand_and_forward_again(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    first = _status(namespace)["revision"]
    namespace.apply("tradingsystems", _desk("2", "2"))
    eventually(lambda: namespace.is_ready("desk"), 60)
    second = _status(namespace)["revision"]
    _annotate(namespace, "rollback-to", first)
    eventually(lambda: _is_back(namespace), 60)
    assert _images(namespace) == {"desk-feed": "1", "desk-strategy": "1"}
    assert namespace.condition("desk", "Ready")["reason"] == "RolledBackByHand"
    _annotate(namespace, "rollback-to", second)
    eventually(lambda: namespace.is_ready("desk"), 60)
    assert _images(namespace) == {"desk-feed": "2", "desk-strategy": "2"}

    namespace.apply("tradingsystems", _desk("pretend-crash", "2"))
    eventually(lambda: _is_back(namespace), 60)
    failed = _failures(namespace)
    _annotate(namespace, "retry", "1")
    eventually(lambda: _failures(namespace) > failed, 60)
    eventually(lambda: _is_back(namespace), 60)
    assert _status(namespace)["handled"]["retry"] == "1"


def _failures(namespace: Namespace) -> int:
    told = (e for e in namespace.list("events") if e["reason"] == "ChangeFailed")
    return sum(1 + (each.get("series") or {"count": 1})["count"] - 1 for each in told)


def _annotate(namespace: Namespace, command: str, value: str) -> None:
    annotations = {f"tradingoperator.io/{command}": value}
    namespace.merge("tradingsystems", "desk", {"metadata": {"annotations": annotations}})


@pytest.mark.acceptance("C56", "C57", "C58")
def test_a_change_without_its_secret_or_room_begins_when_both_are_there(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    namespace.create("resourcequotas", _quota("4"))  # as many pods as there are
    eventually(lambda: (namespace.get("resourcequotas", "desk").get("status") or {}).get("used"))
    env = [{"name": "KEY", "secretKeyRef": {"name": "broker", "key": "key"}}]
    system = _desk("2", "2")
    system["spec"]["services"][0].update(env=env)
    namespace.apply("tradingsystems", system)
    eventually(lambda: _invalid(namespace, "Secret broker"))
    assert _phase(namespace) == "Held"
    secret = {"metadata": {"name": "broker"}, "stringData": {"key": "k"}}
    namespace.create("secrets", secret)
    validated = eventually(lambda: _invalid(namespace, "ResourceQuota desk"), 60)
    assert "pods 1 more" in validated["message"]
    assert _images(namespace) == {"desk-feed": "1", "desk-strategy": "1"}
    namespace.merge("resourcequotas", "desk", {"spec": {"hard": {"pods": "90"}}})
    eventually(lambda: _images(namespace)["desk-feed"] == "2", 60)


def _quota(pods: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "desk"},
        "spec": {"hard": {"pods": pods}},
    }


def _invalid(namespace: Namespace, said: str) -> dict[str, Any]:
    validated = namespace.condition("desk", "Validated")
    return validated if said in validated.get("message", "") else {}


def test_a_dry_run_tells_what_would_change_and_changes_nothing(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    writes = [each for each in operators.settle() if "tradingsystems" not in each]
    system = _desk("2")
    system["metadata"]["annotations"] = {"tradingoperator.io/dry-run": "now"}
    namespace.apply("tradingsystems", system)
    dry = eventually(lambda: _status(namespace).get("dryRun") or {})
    changes = {each["name"]: (each["action"], each.get("message", "")) for each in dry["changes"]}
    assert changes["strategy"][0] == "Keep"
    assert changes["feed"] == (
        "Update",
        "image registry.example/feed:1 -> registry.example/feed:2",
    )
    after = [each for each in operators.settle() if "tradingsystems" not in each]
    assert [each for each in after if "events" not in each] == [
        each for each in writes if "events" not in each
    ]
