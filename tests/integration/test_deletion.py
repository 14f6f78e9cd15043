"""A deleted system stops in order within its time, and leaves or takes its data as it was told."""

import time
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from integration.documented import Documented
from integration.kube_client import (
    COLLECTED_SECONDS,
    RELEASED,
    KubeClient,
    Namespace,
    eventually,
    suppress_missing,
)
from integration.operator_process import Operators
from integration.systems import build_chain, build_service, build_system

CLAIM = "data-chain-db-0"
PASSWORD = "chain-db-credentials"
FINALIZER = "tradingoperator.io/ordered-stop"
HOLD = {"metadata": {"finalizers": ["test.example/hold"]}}
WORKLOADS = {
    "strategy": ("statefulsets", "chain-strategy"),
    "feed": ("deployments", "chain-feed"),
    "db": ("statefulsets", "chain-db"),
}
STOPS = [f"{kind}/{name}" for kind, name in WORKLOADS.values()]


def test_a_deleted_system_stops_in_order_and_leaves_its_data(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    before = operators.writes()
    history = _History(namespace)
    namespace.delete("tradingsystems", "chain")
    eventually(lambda: namespace.get("tradingsystems", "chain") is None)
    history.assert_order("strategy", "feed", "db")
    assert _scales(operators.writes()[len(before) :]) == STOPS
    eventually(lambda: not _children(namespace), COLLECTED_SECONDS)
    assert CLAIM in namespace.names("persistentvolumeclaims")
    assert PASSWORD in namespace.names("secrets")
    claim = namespace.get("persistentvolumeclaims", CLAIM)
    assert "ownerReferences" not in claim["metadata"]
    owner = namespace.get("secrets", PASSWORD)["metadata"]["ownerReferences"]
    assert [each["uid"] for each in owner] == [claim["metadata"]["uid"]]


def test_volumes_go_with_the_system_when_it_says_so(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, deletion={"volumes": "Delete"})
    assert _owners(namespace, CLAIM) == {"TradingSystem"}
    namespace.delete("tradingsystems", "chain")
    eventually(lambda: namespace.get("tradingsystems", "chain") is None)
    eventually(lambda: CLAIM not in namespace.names("persistentvolumeclaims"), COLLECTED_SECONDS)
    eventually(lambda: PASSWORD not in namespace.names("secrets"), COLLECTED_SECONDS)
    assert not [each for each in operators.writes() if each.startswith("delete persistent")]


def test_a_kept_volume_is_opened_again_with_its_password(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    claim = namespace.get("persistentvolumeclaims", CLAIM)["metadata"]["uid"]
    password = namespace.get("secrets", PASSWORD)["data"]["password"]
    namespace.delete("tradingsystems", "chain")
    eventually(lambda: namespace.get("tradingsystems", "chain") is None)
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: namespace.is_ready("chain"), 60)
    assert namespace.get("persistentvolumeclaims", CLAIM)["metadata"]["uid"] == claim
    assert namespace.get("secrets", PASSWORD)["data"]["password"] == password


def test_a_stop_that_takes_too_long_is_told_and_ends_at_its_deadline(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, deletion={"stopDeadline": "6s"})
    namespace.merge("pods", "chain-strategy-0", HOLD)
    started = time.monotonic()
    namespace.delete("tradingsystems", "chain")
    told = eventually(lambda: _deleting(namespace), 10)
    assert "chain-strategy-0" in told["message"]
    assert "until 20" in told["message"]
    lines = {line["name"]: line for line in _status(namespace)["components"]}
    assert lines["db"]["state"] == "Stopping"
    assert lines["db"]["reason"] == "WaitingForDependants"
    assert namespace.get("statefulsets", "chain-db")["spec"]["replicas"] == 1
    eventually(lambda: namespace.get("tradingsystems", "chain") is None, 20)
    # Not before its deadline; the end is bounded by the wait, whatever else the machine does.
    assert time.monotonic() - started > 5
    namespace.merge("pods", "chain-strategy-0", RELEASED)
    events = eventually(lambda: _events(namespace, "StopDeadlineExceeded"), 10)
    assert "strategy" in events[0]["note"]
    eventually(lambda: not _children(namespace), COLLECTED_SECONDS)


def test_killed_between_any_two_steps_it_still_stops_in_order(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, deletion={"stopDeadline": "10m"})
    history = _History(namespace)
    _kill(namespace, operators)
    pods = {_component({"object": pod}): pod["metadata"]["name"] for pod in namespace.list("pods")}
    for pod in pods.values():
        namespace.merge("pods", pod, HOLD)
    namespace.delete("tradingsystems", "chain")
    for component, (kind, name) in WORKLOADS.items():
        operators.start()
        eventually(partial(_is_stopped, namespace, kind, name), 40, 0.01)
        _kill(namespace, operators)
        # One more that dies while it waits for the pod, before the next has its turn.
        eventually(operators.start().is_leading, 40, 0.01)
        time.sleep(0.2)
        _kill(namespace, operators)
        assert namespace.get("pods", pods[component])["metadata"]["deletionTimestamp"]
        namespace.merge("pods", pods[component], RELEASED)
    eventually(lambda: not namespace.names("pods"))
    assert namespace.get("tradingsystems", "chain") is not None
    operators.start()
    eventually(lambda: namespace.get("tradingsystems", "chain") is None)
    history.assert_order("strategy", "feed", "db")
    eventually(lambda: not _children(namespace), COLLECTED_SECONDS)
    assert CLAIM in namespace.names("persistentvolumeclaims")


@pytest.mark.parametrize("cyclic", [False, True])
def test_data_that_is_to_stay_stays_also_when_the_time_ran_out_while_nobody_looked(
    namespace: Namespace, operators: Operators, cyclic: bool
) -> None:
    _start(namespace, operators, deletion={"volumes": "Delete", "stopDeadline": "1s"})
    _kill(namespace, operators)
    spec: dict[str, Any] = {"deletion": {"volumes": "Retain"}}
    if cyclic:
        services = namespace.get("tradingsystems", "chain")["spec"]["services"]
        spec["services"] = [
            {**each, "dependsOn": [{"name": other}]}
            for each, other in zip(services, ("feed", "strategy"), strict=True)
        ]
    namespace.merge("tradingsystems", "chain", {"spec": spec})
    namespace.delete("tradingsystems", "chain")
    time.sleep(2)
    operators.start()
    eventually(lambda: namespace.get("tradingsystems", "chain") is None)
    eventually(lambda: not _children(namespace), COLLECTED_SECONDS)
    metadata = namespace.get("persistentvolumeclaims", CLAIM)["metadata"]
    assert "deletionTimestamp" not in metadata
    assert "ownerReferences" not in metadata


def test_nothing_is_made_while_a_system_stops(namespace: Namespace, operators: Operators) -> None:
    _start(namespace, operators)
    namespace.merge("pods", "chain-strategy-0", HOLD)
    namespace.delete("tradingsystems", "chain")
    eventually(lambda: _deleting(namespace), 10)
    before = len(operators.writes())
    namespace.delete("services", "chain-feed")
    namespace.merge("deployments", "chain-feed", {"metadata": {"labels": {"more": "1"}}})
    operators.settle()
    made = [each for each in operators.writes()[before:] if each.startswith("create ")]
    assert not [each for each in made if "events/" not in each], made
    namespace.merge("pods", "chain-strategy-0", RELEASED)
    eventually(lambda: namespace.get("tradingsystems", "chain") is None)


def test_a_system_whose_spec_makes_no_sense_still_goes(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    history = _History(namespace)
    system = namespace.get("tradingsystems", "chain")
    services = [
        {**each, "dependsOn": [{"name": other}]}
        for each, other in zip(system["spec"]["services"], ("feed", "strategy"), strict=True)
    ]
    namespace.merge("tradingsystems", "chain", {"spec": {"services": services}})
    eventually(lambda: namespace.condition("chain", "Stalled").get("status") == "True")
    namespace.delete("tradingsystems", "chain")
    eventually(lambda: namespace.get("tradingsystems", "chain") is None)
    history.assert_order("strategy", "db")
    history.assert_order("feed", "db")
    assert CLAIM in namespace.names("persistentvolumeclaims")


def test_only_a_system_with_a_single_writer_waits_for_the_operator(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    assert _finalizers(namespace, "chain") == [FINALIZER]
    chain = build_chain()
    chain["spec"]["services"] = [build_service("feed", "db")]
    spec = {"spec": {"services": chain["spec"]["services"]}}
    namespace.merge("tradingsystems", "chain", spec)
    eventually(lambda: _finalizers(namespace, "chain") == [])
    namespace.create("tradingsystems", build_system("plain", [build_service("api")]))
    eventually(lambda: namespace.is_ready("plain"))
    assert _finalizers(namespace, "plain") == []

    operators.running[-1].kill()
    for name in ("chain", "plain"):
        namespace.delete("tradingsystems", name)
    eventually(lambda: not _children(namespace), COLLECTED_SECONDS)


def test_what_waits_for_a_dead_operator_goes_by_the_documented_command(
    namespace: Namespace, operators: Operators, documented: Documented
) -> None:
    _start(namespace, operators)
    operators.running[-1].kill()
    namespace.delete("tradingsystems", "chain")
    time.sleep(1)
    assert namespace.get("tradingsystems", "chain") is not None
    documented("kubectl patch tradingsystem", namespace.name, "chain")
    eventually(lambda: namespace.get("tradingsystems", "chain") is None, 10)
    eventually(lambda: not _children(namespace), COLLECTED_SECONDS)
    assert CLAIM in namespace.names("persistentvolumeclaims")


def test_orphans_that_somebody_asked_for_go_on_running(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators)
    path = namespace.path("tradingsystems", "chain")
    namespace.client.request("DELETE", path, {"propagationPolicy": "Orphan"})
    eventually(lambda: namespace.get("tradingsystems", "chain") is None, 20)
    time.sleep(2)
    assert namespace.get("pods", "chain-strategy-0")["status"]["phase"] == "Running"
    assert namespace.get("statefulsets", "chain-db")["spec"]["replicas"] == 1


@pytest.mark.parametrize("alive", [True, False])
def test_a_namespace_goes_with_all_that_is_in_it(
    client: KubeClient, namespace: Namespace, operators: Operators, alive: bool
) -> None:
    operators.start_leading()
    system = build_chain() if alive else build_system("one", [build_service("api")])
    name = system["metadata"]["name"]
    namespace.create("tradingsystems", system)
    eventually(lambda: namespace.is_ready(name), 60)
    if not alive:
        operators.running[-1].kill()
    client.request("DELETE", f"api/v1/namespaces/{namespace.name}")
    eventually(lambda: _is_gone(client, namespace), 60)


def test_a_namespace_that_waits_for_a_dead_operator_goes_by_the_documented_command(
    client: KubeClient, namespace: Namespace, operators: Operators, documented: Documented
) -> None:
    _start(namespace, operators)
    operators.running[-1].kill()
    client.request("DELETE", f"api/v1/namespaces/{namespace.name}")
    eventually(lambda: not _children(namespace), COLLECTED_SECONDS)
    assert not _is_gone(client, namespace)
    documented("kubectl patch tradingsystem", namespace.name, "chain")
    eventually(lambda: _is_gone(client, namespace), 60)


class _History:
    """What happened to pods and workloads since it was made, on the API server's own clock."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        listed = namespace.client.request("GET", namespace.path("pods"))
        self._since: str = listed["metadata"]["resourceVersion"]

    def assert_order(self, *components: str) -> None:
        """Fail unless each component was stopped after the one before it had lost its last pod."""
        gone, scaled = self._pods_gone(), self._scaled()
        assert sorted(components, key=gone.__getitem__) == list(components), gone
        for first, then in pairwise(components):
            assert gone[first] < scaled[then], (gone, scaled)

    def _pods_gone(self) -> dict[str, int]:
        events = self._read("pods")
        return {
            _component(event): _version(event) for event in events if event["type"] == "DELETED"
        }

    def _scaled(self) -> dict[str, int]:
        """Return when each workload was first seen without pods wanted, or was deleted."""
        found: dict[str, int] = {}
        for kind in ("deployments", "statefulsets"):
            for event in self._read(kind):
                stops = event["type"] == "DELETED" or event["object"]["spec"]["replicas"] == 0
                if stops:
                    found.setdefault(_component(event), _version(event))
        return found

    def _read(self, kind: str) -> list[dict[str, Any]]:
        return self._namespace.client.history(self._namespace.path(kind), self._since)


def _component(event: dict[str, Any]) -> str:
    component: str = event["object"]["metadata"]["labels"]["app.kubernetes.io/component"]
    return component


def _version(event: dict[str, Any]) -> int:
    return int(event["object"]["metadata"]["resourceVersion"])


def _is_stopped(namespace: Namespace, kind: str, name: str) -> bool:
    return bool(namespace.get(kind, name)["spec"]["replicas"] == 0)


def _start(namespace: Namespace, operators: Operators, **spec: Any) -> None:
    operators.start_leading()
    chain = build_chain()
    chain["spec"] |= spec
    namespace.create("tradingsystems", chain)
    eventually(lambda: namespace.is_ready("chain"), 60)
    operators.settle()


def _scales(writes: list[str]) -> list[str]:
    """Return the workloads that were patched, in order, once for each turn."""
    patched = [each.removeprefix("patch ") for each in writes if each.startswith("patch ")]
    workloads = [each for each in patched if each.startswith(("statefulsets/", "deployments/"))]
    return [each for at, each in enumerate(workloads) if at == 0 or workloads[at - 1] != each]


def _kill(namespace: Namespace, operators: Operators) -> None:
    operators.running[-1].kill()
    with suppress_missing():
        namespace.delete("leases", "trading-operator")  # else each kill costs a Lease's time


def _deleting(namespace: Namespace) -> dict[str, Any]:
    told = namespace.condition("chain", "Reconciling")
    return told if told.get("reason") == "Deleting" and "still there" in told["message"] else {}


def _status(namespace: Namespace) -> dict[str, Any]:
    status: dict[str, Any] = namespace.get("tradingsystems", "chain")["status"]
    return status


def _finalizers(namespace: Namespace, name: str) -> list[str]:
    system = namespace.get("tradingsystems", name)
    return list(system["metadata"].get("finalizers") or ())


def _owners(namespace: Namespace, claim: str) -> set[str]:
    metadata = namespace.get("persistentvolumeclaims", claim)["metadata"]
    return {each["kind"] for each in metadata.get("ownerReferences") or ()}


def _events(namespace: Namespace, reason: str) -> list[dict[str, Any]]:
    return [event for event in namespace.list("events") if event["reason"] == reason]


def _children(namespace: Namespace) -> set[str]:
    kinds = ("deployments", "statefulsets", "services", "pods")
    return {name for kind in kinds for name in namespace.names(kind)}


def _is_gone(client: KubeClient, namespace: Namespace) -> bool:
    found = client.request("GET", "api/v1/namespaces")["items"]
    return namespace.name not in {each["metadata"]["name"] for each in found}
