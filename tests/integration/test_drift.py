"""What somebody else changes is put back; what is not ours stays; what left the spec goes."""

import pytest

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system


@pytest.fixture
def api(namespace: Namespace, operators: Operators) -> Namespace:
    """A namespace with a Ready system `one` of a service `api` with two variables."""
    operators.start_leading()
    namespace.apply("tradingsystems", _system({"KEPT": "1", "LEAVING": "1"}))
    eventually(lambda: namespace.is_ready("one"))
    return namespace


def test_a_deleted_and_a_changed_child_are_put_back(api: Namespace, operators: Operators) -> None:
    operators.settle()
    api.delete("services", "one-api")
    api.merge("deployments", "one-api", {"spec": {"replicas": 3}})
    eventually(lambda: api.get("services", "one-api"))
    eventually(lambda: api.get("deployments", "one-api")["spec"]["replicas"] == 1)


def test_a_child_without_its_labels_gets_them_back(api: Namespace) -> None:
    before = api.get("deployments", "one-api")
    api.merge("deployments", "one-api", {"metadata": {"labels": dict.fromkeys(_labels(before))}})
    eventually(lambda: _labels(api.get("deployments", "one-api")) == _labels(before))
    assert api.get("deployments", "one-api")["metadata"]["uid"] == before["metadata"]["uid"]


def test_what_somebody_keeps_changing_is_not_fought_over(
    api: Namespace, operators: Operators
) -> None:
    for _ in range(3):
        api.merge("deployments", "one-api", {"spec": {"replicas": 3}})
        eventually(lambda: api.get("deployments", "one-api")["spec"]["replicas"] == 1)
    api.merge("deployments", "one-api", {"spec": {"replicas": 3}})
    eventually(lambda: "keeps changing" in str(api.get("tradingsystems", "one")["status"]))
    message = api.condition("one", "Ready")["message"]
    assert "spec.replicas (by " in message, message
    settled = operators.settle(2.0)
    assert operators.settle()[len(settled) :] == []
    assert api.get("deployments", "one-api")["spec"]["replicas"] == 3


def test_fields_that_left_the_plan_go_and_foreign_fields_stay(api: Namespace) -> None:
    foreign = {"name": "FOREIGN", "value": "1"}
    path = "/spec/template/spec/containers/0/env/-"
    api.patch("deployments", "one-api", [{"op": "add", "path": path, "value": foreign}])
    api.merge("deployments", "one-api", {"metadata": {"annotations": {"foreign.example/a": "1"}}})

    api.apply("tradingsystems", _system({"KEPT": "2"}))
    eventually(lambda: _variables(api).get("KEPT") == "2")
    assert "LEAVING" not in _variables(api)
    assert _variables(api)["FOREIGN"] == "1"
    annotations = api.get("deployments", "one-api")["metadata"]["annotations"]
    assert annotations["foreign.example/a"] == "1"

    # A second change finds our fields where the first one left them.
    api.apply("tradingsystems", _system({"ANOTHER": "3"}))
    eventually(lambda: _variables(api).get("ANOTHER") == "3")
    assert "KEPT" not in _variables(api)


def test_a_component_that_left_the_spec_goes_and_its_volume_stays(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    services = [build_service("api")]
    namespace.apply("tradingsystems", build_system("one", services, [build_datastore("db")]))
    eventually(lambda: namespace.is_ready("one"))
    claims = namespace.names("persistentvolumeclaims")
    assert claims

    namespace.apply("tradingsystems", build_system("one", services))
    eventually(lambda: namespace.names("statefulsets") == set())
    eventually(lambda: namespace.names("services") == {"one-api"})
    assert namespace.names("persistentvolumeclaims") == claims
    assert "one-db-credentials" in namespace.names("secrets")


def test_a_changed_config_rolls_the_pods_and_the_old_one_stays_with_its_revision(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    service = build_service("api", configs=[{"name": "market", "mountPath": "/etc/market"}])

    def apply(content: str) -> None:
        configs = [{"name": "market", "files": {"a.json": content}}]
        namespace.apply("tradingsystems", build_system("one", [service], configs=configs))

    apply("1")
    eventually(lambda: namespace.is_ready("one"))
    (first,) = _configs(namespace)
    apply("2")
    eventually(lambda: namespace.is_ready("one"))
    operators.settle()
    assert first in _configs(namespace)
    (second,) = _configs(namespace) - {first}
    assert namespace.get("configmaps", second)["data"] == {"a.json": "2"}


def test_a_pod_with_an_old_template_is_replaced(namespace: Namespace, operators: Operators) -> None:
    operators.start_leading()
    namespace.apply("tradingsystems", build_system("one", [], [build_datastore("db", "Redis")]))
    eventually(lambda: namespace.is_ready("one"))
    before = namespace.get("pods", "one-db-0")["metadata"]["uid"]

    store = {**build_datastore("db", "Redis"), "resources": {"requests": {"cpu": "50m"}}}
    namespace.apply("tradingsystems", build_system("one", [], [store]))
    eventually(lambda: _uid(namespace, "one-db-0") not in (before, ""))
    eventually(lambda: namespace.is_ready("one"))
    (container, *_) = namespace.get("pods", "one-db-0")["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == "50m"


def _system(variables: dict[str, str]) -> dict[str, object]:
    env = [{"name": name, "value": value} for name, value in variables.items()]
    return build_system("one", [build_service("api", env=env)])


def _variables(namespace: Namespace) -> dict[str, str]:
    template = namespace.get("deployments", "one-api")["spec"]["template"]
    env = template["spec"]["containers"][0]["env"]
    return {each["name"]: each.get("value", "") for each in env}


def _labels(manifest: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    return manifest["metadata"].get("labels") or {}


def _configs(namespace: Namespace) -> set[str]:
    return {name for name in namespace.names("configmaps") if name.startswith("one-market-")}


def _uid(namespace: Namespace, pod: str) -> str:
    found = namespace.get("pods", pod)
    return "" if found is None else str(found["metadata"]["uid"])
