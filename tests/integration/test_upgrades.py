"""Another version of the operator restarts no pod; what it renders comes with changes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from integration.kube_client import Namespace, eventually
from integration.newer_operator import change_immutable, copy_operator, rendered_by
from integration.operator_process import OperatorProcess, Operators
from integration.systems import build_chain

CHAIN = {"chain-db": "statefulsets", "chain-feed": "deployments", "chain-strategy": "statefulsets"}
ADOPT = "tradingoperator.io/adopt-rendering"
WORKLOADS = ("deployments/", "statefulsets/", "pods/")


@pytest.fixture
def chain(namespace: Namespace, operators: Operators) -> OperatorProcess:
    """A Ready system of a database, a feed and a strategy, made by the operator as it is."""
    first = operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: namespace.is_ready("chain"), 60)
    operators.settle(2.0)
    return first


def _replace(
    operators: Operators, before: OperatorProcess, source: Path, **settings: str
) -> list[str]:
    """Put another operator in place of one and return what it wrote, Leases aside."""
    assert before.stop() == 0
    known = len(operators.settle())
    operators.source = source
    after = operators.start_leading(**settings)
    eventually(lambda: "trading_operator_reconcile_total{" in after.metrics())
    return operators.settle(3.0)[known:]


def _pods(namespace: Namespace) -> dict[str, tuple[str, int]]:
    """Return uid and restarts of each pod."""
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ())),
        )
        for pod in namespace.list("pods")
    }


def _renderers(namespace: Namespace) -> dict[str, str]:
    return {
        name: rendered_by(namespace.get(kind, name)["spec"]["template"])
        for name, kind in CHAIN.items()
    }


def _of_workloads(writes: list[str]) -> list[str]:
    return [each for each in writes if each.split(" ", 1)[1].startswith(WORKLOADS)]


def _uids(pods: Mapping[str, tuple[str, int]], component: str) -> set[str]:
    return {uid for name, (uid, _) in pods.items() if name.startswith(f"chain-{component}")}


def _handled(namespace: Namespace) -> dict[str, str]:
    handled: dict[str, str] = namespace.get("tradingsystems", "chain")["status"].get("handled", {})
    return handled


@pytest.mark.acceptance("E12")
def test_another_operator_restarts_nothing_until_something_changes_or_it_is_asked(
    namespace: Namespace, operators: Operators, chain: OperatorProcess, tmp_path: Path
) -> None:
    pods, before = _pods(namespace), namespace.get("tradingsystems", "chain")["status"]
    writes = _replace(operators, chain, copy_operator(tmp_path, "v2"))
    assert _of_workloads(writes) == []
    assert _pods(namespace) == pods
    assert namespace.is_ready("chain")
    assert namespace.get("tradingsystems", "chain")["status"] == before

    # A change of one component renders that one anew, and no other.
    spec = namespace.get("tradingsystems", "chain")["spec"]
    feed = next(each for each in spec["services"] if each["name"] == "feed")
    feed["env"] = [{"name": "CHANGED", "value": "1"}]
    namespace.merge("tradingsystems", "chain", {"spec": {"services": spec["services"]}})
    eventually(lambda: _renderers(namespace)["chain-feed"] == "v2")
    eventually(lambda: namespace.is_ready("chain"), 60)
    operators.settle()
    assert _renderers(namespace) == {"chain-db": "", "chain-feed": "v2", "chain-strategy": ""}
    for component in ("db", "strategy"):
        assert _uids(_pods(namespace), component) == _uids(pods, component)

    # Asked for, the others follow, in their order.
    pods = _pods(namespace)
    namespace.merge("tradingsystems", "chain", {"metadata": {"annotations": {ADOPT: "today"}}})
    eventually(lambda: set(_renderers(namespace).values()) == {"v2"}, 60)
    eventually(lambda: namespace.is_ready("chain") and _handled(namespace), 60)
    assert _handled(namespace) == {"adoptRendering": "today"}
    written = [each for each in operators.settle(2.0) if each.startswith("patch statefulsets/")]
    assert written.index("patch statefulsets/chain-db") < written.index(
        "patch statefulsets/chain-strategy"
    )
    after = _pods(namespace)
    assert _uids(after, "feed") == _uids(pods, "feed")  # it had the new rendering already
    assert not any(_uids(after, each) & _uids(pods, each) for each in ("db", "strategy"))

    # Once for each value: what was handled is not asked for again, nor when it is taken back.
    settled = operators.settle()
    namespace.merge("tradingsystems", "chain", {"metadata": {"annotations": {ADOPT: None}}})
    assert _of_workloads(operators.settle(2.0)[len(settled) :]) == []
    assert _pods(namespace) == after
    assert _handled(namespace) == {"adoptRendering": "today"}


def test_the_former_operator_restarts_nothing_either(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    today = operators.source
    operators.source = copy_operator(tmp_path, "v2")
    newer = operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: namespace.is_ready("chain"), 60)
    pods = _pods(namespace)

    writes = _replace(operators, newer, today)
    assert _of_workloads(writes) == []
    assert _pods(namespace) == pods
    assert set(_renderers(namespace).values()) == {"v2"}
    assert namespace.is_ready("chain")


def test_another_default_image_of_the_installation_restarts_no_datastore(
    namespace: Namespace, operators: Operators, chain: OperatorProcess
) -> None:
    pods = _pods(namespace)
    image = "registry.example/other:17"
    writes = _replace(operators, chain, operators.source, IMAGE_POSTGRESQL=image)
    assert writes == []
    assert _pods(namespace) == pods


def test_a_revision_that_somebody_deletes_is_stored_again_as_it_was(
    namespace: Namespace, operators: Operators, chain: OperatorProcess, tmp_path: Path
) -> None:
    (stored,) = _stored(namespace)
    pods = _pods(namespace)
    _replace(operators, chain, copy_operator(tmp_path, "v2"))
    name = stored["metadata"]["name"]
    namespace.delete("controllerrevisions", name)
    healed = eventually(lambda: namespace.get("controllerrevisions", name))
    assert healed["metadata"]["uid"] != stored["metadata"]["uid"]
    assert healed["data"] == stored["data"]
    operators.settle()
    assert _pods(namespace) == pods


def test_what_a_stored_revision_tells_around_its_data_is_put_back(
    namespace: Namespace, operators: Operators, chain: OperatorProcess
) -> None:
    (stored,) = _stored(namespace)
    name, labels = stored["metadata"]["name"], stored["metadata"]["labels"]
    drift: dict[str, Any] = {"revision": 7, "metadata": {"labels": {"a": "1"}}}
    for change in ({"metadata": {"labels": dict.fromkeys(labels)}}, drift):
        namespace.merge("controllerrevisions", name, change)
        eventually(lambda: labels.items() <= _labels(namespace, name).items())
    live = namespace.get("controllerrevisions", name)
    assert live["metadata"]["labels"]["a"] == "1"
    assert live["data"] == stored["data"]
    assert namespace.is_ready("chain")


def test_statefulsets_are_made_anew_without_their_pods_when_they_cannot_be_changed(
    namespace: Namespace, operators: Operators, chain: OperatorProcess, tmp_path: Path
) -> None:
    pods, source = _pods(namespace), copy_operator(tmp_path, "v2")
    claims = namespace.names("persistentvolumeclaims")
    change_immutable(source)
    _replace(operators, chain, source)
    eventually(lambda: _policies(namespace) == {"OrderedReady"})
    eventually(lambda: namespace.is_ready("chain"))
    eventually(lambda: _controllers(namespace) == _workload_uids(namespace))
    assert _pods(namespace) == pods
    assert namespace.names("persistentvolumeclaims") == claims
    settled = operators.settle(2.0)
    assert operators.settle(2.0) == settled


def test_killed_between_the_two_the_next_operator_takes_the_pods_over(
    namespace: Namespace, operators: Operators, chain: OperatorProcess
) -> None:
    pods = _pods(namespace)
    chain.kill()
    for name in ("chain-db", "chain-strategy"):
        path = namespace.path("statefulsets", name)
        namespace.client.request("DELETE", path, {"propagationPolicy": "Orphan"})
    eventually(lambda: namespace.names("statefulsets") == set())
    eventually(lambda: _controllers(namespace) == set())

    operators.start_leading()
    eventually(lambda: len(namespace.names("statefulsets")) == 2)
    eventually(lambda: _controllers(namespace) == _workload_uids(namespace))
    eventually(lambda: namespace.is_ready("chain"))
    operators.settle(2.0)
    assert _pods(namespace) == pods


def test_killed_between_the_two_and_deleted_the_pods_go_with_their_system(
    namespace: Namespace, operators: Operators, chain: OperatorProcess
) -> None:
    chain.kill()
    for name in ("chain-db", "chain-strategy"):
        path = namespace.path("statefulsets", name)
        namespace.client.request("DELETE", path, {"propagationPolicy": "Orphan"})
    eventually(lambda: _controllers(namespace) == set())
    claims = namespace.names("persistentvolumeclaims")
    namespace.delete("tradingsystems", "chain")

    operators.start_leading()
    eventually(lambda: namespace.get("tradingsystems", "chain") is None)
    eventually(lambda: namespace.names("pods") == set())
    assert namespace.names("persistentvolumeclaims") == claims


def _stored(namespace: Namespace) -> list[dict[str, Any]]:
    selector = "app.kubernetes.io/part-of=chain,!app.kubernetes.io/component"
    found: list[dict[str, Any]] = namespace.list("controllerrevisions", selector)
    return found


def _labels(namespace: Namespace, name: str) -> dict[str, str]:
    metadata = namespace.get("controllerrevisions", name)["metadata"]
    labels: dict[str, str] = metadata.get("labels") or {}
    return labels


def _policies(namespace: Namespace) -> set[str]:
    return {each["spec"]["podManagementPolicy"] for each in namespace.list("statefulsets")}


def _controllers(namespace: Namespace) -> set[str]:
    return {
        reference["uid"]
        for pod in namespace.list("pods")
        for reference in pod["metadata"].get("ownerReferences", ())
        if reference["kind"] == "StatefulSet"
    }


def _workload_uids(namespace: Namespace) -> set[str]:
    return {each["metadata"]["uid"] for each in namespace.list("statefulsets")}
