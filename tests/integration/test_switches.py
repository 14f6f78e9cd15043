"""Paused, hibernated and tradingState against a real API server and its controllers."""

from functools import partial
from typing import Any

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_chain, build_service, build_system

STATE = "tradingoperator.io/trading-state"
RESUME = "tradingoperator.io/resume-replicas"
COMPONENT = "app.kubernetes.io/component"


def _start(namespace: Namespace, operators: Operators, system: dict[str, Any]) -> str:
    operators.start_leading()
    name = str(namespace.create("tradingsystems", system)["metadata"]["name"])
    eventually(lambda: namespace.is_ready(name), 60)
    return name


def _switch(namespace: Namespace, name: str, **spec: Any) -> None:
    namespace.merge("tradingsystems", name, {"spec": spec})


def _reason(namespace: Namespace, name: str, kind: str) -> tuple[str | None, str | None]:
    found = namespace.condition(name, kind)
    return found.get("status"), found.get("reason")


def _counts(namespace: Namespace) -> dict[str, int]:
    workloads = (*namespace.list("deployments"), *namespace.list("statefulsets"))
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in workloads}


def _pods(namespace: Namespace) -> dict[str, str]:
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in namespace.list("pods")}


def _children(namespace: Namespace) -> dict[str, set[str]]:
    kinds = ("services", "configmaps", "secrets", "persistentvolumeclaims", "statefulsets")
    return {kind: namespace.names(kind) for kind in (*kinds, "deployments")}


def _child_writes(operators: Operators) -> list[str]:
    ours = ("tradingsystems/", "events", "leases/")
    return [each for each in operators.settle() if not any(word in each for word in ours)]


def test_a_paused_system_is_observed_and_not_touched_until_the_pause_ends(
    namespace: Namespace, operators: Operators
) -> None:
    name = _start(namespace, operators, build_chain())
    _switch(namespace, name, paused=True)
    eventually(lambda: _reason(namespace, name, "Reconciling") == ("False", "Paused"))
    assert _reason(namespace, name, "Ready") == ("True", "Paused")
    before = _child_writes(operators)

    namespace.delete("deployments", "chain-feed")
    namespace.merge("statefulsets", "chain-strategy", {"spec": {"replicas": 0}})
    _switch(namespace, name, mode="Live")
    eventually(lambda: _reason(namespace, name, "Available")[0] == "False")
    assert _child_writes(operators) == before
    assert namespace.get("deployments", "chain-feed") is None
    assert _reason(namespace, name, "Ready") == ("False", "Paused")

    # Orders to trade less are the one thing that a pause does not hold back.
    _switch(namespace, name, tradingState="Halted")
    eventually(lambda: _state(namespace, name) == _reported(namespace, name) == "Halted")
    _switch(namespace, name, tradingState="Active")
    waits = "ConfigMap chain-trading-state"
    eventually(lambda: waits in namespace.condition(name, "Ready")["message"])
    assert _state(namespace, name) == _reported(namespace, name) == "Halted"
    assert namespace.get("deployments", "chain-feed") is None

    _switch(namespace, name, paused=False)
    eventually(lambda: namespace.is_ready(name), 60)
    assert _counts(namespace) == {"chain-db": 1, "chain-feed": 1, "chain-strategy": 1}
    eventually(lambda: _state(namespace, name) == _reported(namespace, name) == "Active")
    eventually(lambda: "env TRADING_MODE changed" in _why_rolled(namespace, "strategy"))


def _why_rolled(namespace: Namespace, component: str) -> str:
    events = [each for each in namespace.list("events") if each["reason"] == "RollingComponent"]
    told = (str(each.get("message") or each.get("note")) for each in events)
    return next((each for each in told if each.startswith(f"{component}: ")), "")


def test_a_halt_reaches_the_services_of_a_system_that_is_wrong_or_on_its_way_out(
    namespace: Namespace, operators: Operators
) -> None:
    system = build_chain()
    name = _start(namespace, operators, system)
    pods = _pods(namespace)
    strategy, feed = system["spec"]["services"]
    cycle = [strategy, {**feed, "dependsOn": [{"name": "strategy"}]}]
    _switch(namespace, name, services=cycle, tradingState="ReduceOnly")
    eventually(partial(_is_handed_out, namespace, name, "ReduceOnly"))
    assert _reason(namespace, name, "Stalled") == ("True", "InvalidSpec")

    held = {"metadata": {"finalizers": ["test.example/held"]}}
    namespace.merge("pods", "chain-strategy-0", held)
    namespace.delete("tradingsystems", name)
    _switch(namespace, name, tradingState="Halted")
    eventually(lambda: _state(namespace, name) == "Halted")
    assert _pods(namespace)["chain-strategy-0"] == pods["chain-strategy-0"]
    namespace.merge("pods", "chain-strategy-0", {"metadata": {"finalizers": None}})


def test_a_system_that_is_made_paused_starts_nothing(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    system = build_chain()
    system["spec"]["paused"] = True
    namespace.create("tradingsystems", system)
    eventually(lambda: _reason(namespace, "chain", "Reconciling") == ("False", "Paused"))
    assert _child_writes(operators) == []
    _switch(namespace, "chain", paused=False)
    eventually(lambda: namespace.is_ready("chain"), 60)


def test_a_system_sleeps_from_its_dependants_down_and_wakes_from_its_database_up(
    namespace: Namespace, operators: Operators
) -> None:
    name = _start(namespace, operators, build_chain())
    before = _children(namespace)
    version = namespace.client.request("GET", namespace.path("pods"))["metadata"]["resourceVersion"]

    _switch(namespace, name, hibernated=True)
    eventually(lambda: not _pods(namespace), 60)
    eventually(lambda: _reason(namespace, name, "Reconciling")[0] == "False")
    assert _gone_in_order(namespace, version) == ["strategy", "feed", "db"]
    assert _children(namespace) == before
    assert _reason(namespace, name, "Ready") == ("False", "Hibernated")
    assert _reason(namespace, name, "Available") == ("False", "Hibernated")
    assert _reason(namespace, name, "Stalled")[0] == "False"
    assert _reason(namespace, name, "Degraded")[0] == "False"
    settled = operators.settle(2.0)
    assert operators.settle(2.0) == settled

    version = namespace.client.request("GET", namespace.path("pods"))["metadata"]["resourceVersion"]
    _switch(namespace, name, hibernated=False)
    eventually(lambda: namespace.is_ready(name), 60)
    assert _made_in_order(namespace, version) == ["db", "feed", "strategy"]
    assert _children(namespace) == before


def _events(namespace: Namespace, version: str, kind: str) -> list[str]:
    history = namespace.client.history(namespace.path("pods"), version)
    found = [each["object"] for each in history if each["type"] == kind]
    return [str(each["metadata"]["labels"][COMPONENT]) for each in found]


def _gone_in_order(namespace: Namespace, version: str) -> list[str]:
    return _events(namespace, version, "DELETED")


def _made_in_order(namespace: Namespace, version: str) -> list[str]:
    return _events(namespace, version, "ADDED")


def test_a_pod_that_takes_long_to_end_holds_up_what_it_uses(
    namespace: Namespace, operators: Operators
) -> None:
    name = _start(namespace, operators, build_chain())
    held = {"metadata": {"finalizers": ["test.example/held"]}}
    namespace.merge("pods", "chain-strategy-0", held)
    _switch(namespace, name, hibernated=True)
    eventually(lambda: "deletionTimestamp" in namespace.get("pods", "chain-strategy-0")["metadata"])
    operators.settle(2.0)
    assert _counts(namespace) == {"chain-db": 1, "chain-feed": 1, "chain-strategy": 0}
    message = namespace.condition(name, "Ready")["message"]
    assert "chain-strategy-0" in message
    namespace.merge("pods", "chain-strategy-0", {"metadata": {"finalizers": None}})
    eventually(lambda: set(_counts(namespace).values()) == {0}, 60)


def test_an_autoscaled_service_resumes_with_the_count_that_it_had(
    namespace: Namespace, operators: Operators
) -> None:
    scaling = {"min": 2, "max": 9, "external": [{"metric": "tasks", "averageValue": "30"}]}
    system = build_system("pool", [build_service("worker", autoscaling=scaling)])
    name = _start(namespace, operators, system)
    namespace.merge("deployments", "pool-worker", {"spec": {"replicas": 5}})
    eventually(lambda: len(_pods(namespace)) == 5)
    eventually(lambda: namespace.is_ready(name))

    _switch(namespace, name, hibernated=True)
    eventually(lambda: not _pods(namespace))
    asleep = namespace.get("deployments", "pool-worker")
    assert asleep["metadata"]["annotations"][RESUME] == "5"
    _switch(namespace, name, hibernated=False)
    eventually(lambda: namespace.is_ready(name), 60)
    awake = namespace.get("deployments", "pool-worker")
    assert awake["spec"]["replicas"] == 5
    assert RESUME not in awake["metadata"]["annotations"]
    settled = operators.settle(2.0)
    assert operators.settle(2.0) == settled


def test_a_new_trading_state_reaches_every_service_and_restarts_no_pod(
    namespace: Namespace, operators: Operators
) -> None:
    name = _start(namespace, operators, build_chain())
    pods, generations = _pods(namespace), _generations(namespace)
    assert _told(namespace) == {"chain-db-0": None, **dict.fromkeys(set(pods) - {"chain-db-0"})}

    for state in ("Halted", "ReduceOnly", "Active"):
        _switch(namespace, name, tradingState=state)
        eventually(partial(_is_handed_out, namespace, name, state))
        settled = operators.settle(2.0)
        assert operators.settle() == settled
    assert _told(namespace)["chain-db-0"] is None
    assert _pods(namespace) == pods
    assert _generations(namespace) == generations
    events = [each for each in namespace.list("events") if each["reason"] == "TradingStateChanged"]
    assert len(events) == 3


def _generations(namespace: Namespace) -> dict[str, int]:
    workloads = (*namespace.list("deployments"), *namespace.list("statefulsets"))
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in workloads}


def _told(namespace: Namespace) -> dict[str, str | None]:
    return {
        each["metadata"]["name"]: each["metadata"].get("annotations", {}).get(STATE)
        for each in namespace.list("pods")
    }


def _state(namespace: Namespace, name: str) -> str:
    file = namespace.get("configmaps", f"{name}-trading-state")
    return str(file["data"]["trading_state"]).strip()


def _reported(namespace: Namespace, name: str) -> str | None:
    told: str | None = namespace.get("tradingsystems", name)["status"].get("tradingState")
    return told


def _is_handed_out(namespace: Namespace, name: str, state: str) -> bool:
    data = _state(namespace, name)
    told = _reported(namespace, name)
    return data == told == state and set(_told(namespace).values()) == {None, state}


def test_a_pod_that_starts_while_halted_is_told_once(
    namespace: Namespace, operators: Operators
) -> None:
    system = build_system("halted", [build_service("api")], tradingState="Halted")
    _start(namespace, operators, system)
    eventually(lambda: set(_told(namespace).values()) == {"Halted"})
    writes = operators.settle(2.0)
    assert sum(each.startswith("patch pods/") for each in writes) == 1
