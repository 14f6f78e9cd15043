"""What the API server refuses is said in the status, and harms no other system."""

import base64
from typing import Any

import pytest

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system


def test_a_quota_that_is_used_up_is_named_and_tried_again(
    namespace: Namespace, operators: Operators
) -> None:
    namespace.create(
        "resourcequotas",
        {"metadata": {"name": "few"}, "spec": {"hard": {"count/deployments.apps": "1"}}},
    )
    eventually(lambda: namespace.get("resourcequotas", "few").get("status", {}).get("hard"))
    operators.start_leading()
    services = [build_service("a"), build_service("b")]
    namespace.create("tradingsystems", build_system("one", services))
    told = eventually(lambda: "exceeded quota" in _text(namespace, "one"))
    assert told
    operators.settle()

    namespace.delete("resourcequotas", "few")
    eventually(lambda: namespace.is_ready("one"))


@pytest.mark.parametrize("workload", ["Replicated", "SingleWriter"])
def test_pods_that_nobody_may_make_are_told_and_made_once_the_cause_is_gone(
    namespace: Namespace, operators: Operators, workload: str
) -> None:
    operators.start_leading()
    trader = build_service("trader", workload=workload)
    trader["scheduling"] = {"priorityClassName": "nowhere"}
    namespace.create("tradingsystems", build_system("one", [trader]))
    eventually(lambda: namespace.condition("one", "Ready").get("reason") == "PodsRefused")

    trader["scheduling"] = {"priorityClassName": "system-cluster-critical"}
    namespace.merge("tradingsystems", "one", {"spec": {"services": [trader]}})
    eventually(lambda: namespace.is_ready("one"))


def test_no_database_is_started_before_its_secret_may_be_made(
    namespace: Namespace, operators: Operators
) -> None:
    namespace.create(
        "resourcequotas",
        {"metadata": {"name": "none"}, "spec": {"hard": {"count/secrets": "0"}}},
    )
    eventually(lambda: namespace.get("resourcequotas", "none").get("status", {}).get("hard"))
    operators.start_leading()
    services = [build_service("api"), build_service("reader", "db")]
    namespace.create("tradingsystems", build_system("one", services, [build_datastore("db")]))
    stalled = eventually(lambda: _stalled(namespace, "one"))
    assert "one-db-credentials" in stalled["message"]
    assert "exceeded quota" in stalled["message"]
    eventually(lambda: namespace.get("deployments", "one-api"))
    operators.settle()
    assert namespace.get("statefulsets", "one-db") is None

    namespace.delete("resourcequotas", "none")
    eventually(lambda: namespace.is_ready("one"), 60)


def test_an_object_of_somebody_else_is_left_alone_and_named(
    namespace: Namespace, operators: Operators
) -> None:
    labels = {"app": "theirs"}
    theirs = {
        "metadata": {"name": "one-api"},
        "spec": {"ports": [{"port": 80}], "selector": labels},
    }
    namespace.create("services", theirs)
    operators.start_leading()
    namespace.create("tradingsystems", build_system("one", [build_service("api")]))
    eventually(lambda: "one-api" in _text(namespace, "one"))
    assert namespace.get("services", "one-api")["spec"]["selector"] == labels
    settled = operators.settle(2.0)
    assert operators.settle() == settled


def test_a_cycle_is_named_and_waits_for_an_edit(namespace: Namespace, operators: Operators) -> None:
    operators.start_leading()
    cycle = [build_service("a", "b"), build_service("b", "a")]
    namespace.apply("tradingsystems", build_system("one", cycle))
    stalled = eventually(lambda: _stalled(namespace, "one"))
    assert "dependsOn" in stalled["message"]
    settled = operators.settle(2.0)
    assert operators.settle() == settled

    namespace.apply("tradingsystems", build_system("one", [build_service("a")]))
    eventually(lambda: namespace.is_ready("one"))


def test_a_missing_secret_is_named_and_noticed_when_it_comes(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    reference = {"name": "KEY", "secretKeyRef": {"name": "broker", "key": "key"}}
    services = [build_service("api", env=[reference]), build_service("other")]
    namespace.create("tradingsystems", build_system("one", services))
    eventually(lambda: "broker" in _text(namespace, "one"))
    eventually(lambda: namespace.get("deployments", "one-other"))
    assert namespace.get("deployments", "one-api") is None

    namespace.create("secrets", {"metadata": {"name": "broker"}, "stringData": {"key": "s3cr3t"}})
    eventually(lambda: namespace.is_ready("one"))
    assert "s3cr3t" not in _text(namespace, "one")
    assert not [line for line in operators.running[0].lines() if "s3cr3t" in str(line)]


@pytest.mark.acceptance("A79")
def test_a_generated_password_is_in_its_secret_alone(
    namespace: Namespace, operators: Operators
) -> None:
    replica = operators.start_leading(LOG_LEVEL="DEBUG")
    namespace.create("tradingsystems", build_system("one", [], [build_datastore("db")]))
    eventually(lambda: namespace.is_ready("one"))
    secret = namespace.get("secrets", "one-db-credentials")
    assert len(_decode(secret["data"]["password"])) >= 32
    for value in (secret["data"]["password"], _decode(secret["data"]["password"])):
        assert value not in replica.log.read_text()
        assert value not in _text(namespace, "one")


def test_a_pod_that_cannot_start_is_told_with_its_reason(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    services = [build_service("api", tag="pretend-missing"), build_service("ui", "api")]
    namespace.create("tradingsystems", build_system("one", services))
    eventually(lambda: "ImagePull" in _text(namespace, "one"))
    assert namespace.get("deployments", "one-ui") is None
    events = eventually(lambda: [e for e in namespace.list("events") if _is_about(e, "one")])
    assert {event["reportingController"] for event in events}


def _text(namespace: Namespace, name: str) -> str:
    return str((namespace.get("tradingsystems", name) or {}).get("status"))


def _stalled(namespace: Namespace, name: str) -> dict[str, Any]:
    stalled = namespace.condition(name, "Stalled")
    return stalled if stalled.get("status") == "True" else {}


def _is_about(event: dict[str, Any], name: str) -> bool:
    regarding = event["regarding"]
    return bool(regarding["kind"] == "TradingSystem" and regarding["name"] == name)


def _decode(value: str) -> str:
    return base64.b64decode(value).decode()
