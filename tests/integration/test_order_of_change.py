"""Changes go through the graph in order, and wait while what they need is away."""

import pytest

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_service, build_system

COMPONENT = "app.kubernetes.io/component"


def _chain(**tags: str) -> list[dict[str, object]]:
    return [
        build_service("a", tag=tags.get("a", "1")),
        build_service("b", "a", tag=tags.get("b", "1")),
        build_service("c", "b", tag=tags.get("c", "1")),
    ]


def _start(namespace: Namespace, operators: Operators) -> None:
    operators.start_leading()
    # What follows on a change that fails is shown elsewhere.
    rollout = {"bakeTime": "0s", "onFailure": "Stay"}
    namespace.create("tradingsystems", build_system("line", _chain(), rollout=rollout))
    eventually(lambda: namespace.is_ready("line"), 60)


def _change(namespace: Namespace, **tags: str) -> None:
    namespace.merge("tradingsystems", "line", {"spec": {"services": _chain(**tags)}})


def _tag(namespace: Namespace, component: str) -> str:
    live = namespace.get("deployments", f"line-{component}")
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"]).rsplit(":", 1)[1]


def _line(namespace: Namespace, component: str) -> dict[str, str]:
    status = namespace.get("tradingsystems", "line")["status"]
    return next(each for each in status["components"] if each["name"] == component)


def _pods(namespace: Namespace, component: str) -> set[str]:
    pods = namespace.list("pods", f"{COMPONENT}={component}")
    return {each["metadata"]["uid"] for each in pods}


@pytest.mark.acceptance("B28")
@pytest.mark.parametrize("failure", ["pretend-crash", "pretend-unready", "pretend-missing"])
def test_a_change_that_fails_is_not_followed_by_its_dependants(
    namespace: Namespace, operators: Operators, failure: str
) -> None:
    _start(namespace, operators)
    unchanged = _pods(namespace, "b")
    _change(namespace, a=failure, c="2")
    eventually(lambda: _tag(namespace, "a") == failure)
    eventually(lambda: _line(namespace, "c")["reason"] == "WaitingForDependency")
    operators.settle(2.0)
    assert _tag(namespace, "c") == "1"
    assert "a (required by what it requires)" in _line(namespace, "c")["message"]

    _change(namespace, a="2", c="2")
    eventually(lambda: namespace.is_ready("line"), 60)
    assert [_tag(namespace, each) for each in "abc"] == ["2", "1", "2"]
    assert _pods(namespace, "b") == unchanged


@pytest.mark.acceptance("B28")
def test_nothing_starts_or_changes_while_a_required_dependency_is_away(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    running = _pods(namespace, "b")
    _take_away(namespace, "a")
    eventually(lambda: _line(namespace, "b")["reason"] == "DependencyLost")
    assert namespace.condition("line", "Degraded")["status"] == "True"

    services = _chain(c="2")
    services[1]["replicas"] = 3
    namespace.merge("tradingsystems", "line", {"spec": {"services": services}})
    namespace.delete("deployments", "line-c")
    eventually(lambda: _line(namespace, "c")["state"] == "Waiting")
    operators.settle(2.0)
    assert namespace.get("deployments", "line-c") is None
    assert namespace.get("deployments", "line-b")["spec"]["replicas"] == 1
    assert _pods(namespace, "b") == running

    namespace.delete("resourcequotas", "none")
    eventually(lambda: namespace.is_ready("line"), 90)
    assert running < _pods(namespace, "b")
    assert _tag(namespace, "c") == "2"


def _take_away(namespace: Namespace, component: str) -> None:
    """Take a component's pods away and let no pod be made."""
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    namespace.create("resourcequotas", quota)
    for pod in namespace.list("pods", f"{COMPONENT}={component}"):
        namespace.delete("pods", pod["metadata"]["name"])


def test_a_cycle_stalls_with_the_fields_path_and_leaves_what_runs(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    running = {each: _pods(namespace, each) for each in "abc"}
    services = _chain(b="2")
    services[0]["dependsOn"] = [{"name": "c"}]
    namespace.merge("tradingsystems", "line", {"spec": {"services": services}})
    eventually(lambda: namespace.condition("line", "Stalled").get("status") == "True")
    found = namespace.condition("line", "Stalled")
    assert found["reason"] == "InvalidSpec"
    assert "services[0].dependsOn[0]" in found["message"]
    assert "a -> c -> b -> a" in found["message"]
    operators.settle(1.0)
    assert {each: _pods(namespace, each) for each in "abc"} == running
