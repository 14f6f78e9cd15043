"""The Ztrade example comes up with the kinds, numbers and names that its document lists."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.api import ClusterHandle
from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRETS = {
    "postgres-secrets": {"POSTGRES_PASSWORD": "p"},
    "ztrade-secrets": {"BROKER_API_KEY": "k", "FLOWER_BASIC_AUTH": "n:p"},
}


def _render(control_plane: ClusterHandle, name: str) -> list[dict[str, Any]]:
    command = [str(control_plane.bin_dir / "kubectl"), "kustomize", str(EXAMPLES / name)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return list(yaml.safe_load_all(rendered))


def _apply(namespace: Namespace, manifests: list[dict[str, Any]]) -> None:
    kinds = {"ConfigMap": "configmaps", "TradingSystem": "tradingsystems"}
    for manifest in manifests:
        namespace.apply(kinds[manifest["kind"]], manifest)


@pytest.fixture
def ztrade(namespace: Namespace, operators: Operators, control_plane: ClusterHandle) -> Namespace:
    """A namespace in which the example is Ready."""
    for name, values in SECRETS.items():
        namespace.create("secrets", {"metadata": {"name": name}, "stringData": values})
    operators.start_leading()
    _apply(namespace, _render(control_plane, "ztrade"))
    eventually(lambda: namespace.is_ready("ztrade"), 90)
    return namespace


@pytest.mark.acceptance(
    "B29", "B30", "B36", "B42", "B43", "B44", "B45", "B46", "B47", "B48", "B49", "B50", "B51",
    "B52", "B53", "B54", "B55", "B56", "B57", "X08", "X10", "X11",
)  # fmt: skip
def test_the_documents_objects_are_there(ztrade: Namespace) -> None:
    deployments = {d["metadata"]["name"]: d for d in ztrade.list("deployments")}
    assert {name: d["spec"]["replicas"] for name, d in deployments.items()} == {
        "ztrade-trading": 1,
        "ztrade-worker": 3,
        "ztrade-dashboard": 2,
        "ztrade-flower": 1,
    }
    assert ztrade.names("horizontalpodautoscalers") == {"ztrade-worker"}
    stateful = {"ztrade-redis", "ztrade-postgres", "ztrade-beat"}
    assert ztrade.names("statefulsets") == stateful
    services = {s["metadata"]["name"]: s["spec"]["type"] for s in ztrade.list("services")}
    assert services == {
        "trading-service": "ClusterIP",
        "dashboard-service": "LoadBalancer",
        "flower-service": "LoadBalancer",
        "redis-service": "ClusterIP",
        "postgres-service": "ClusterIP",
    }
    claims = {
        c["metadata"]["name"]: c["spec"]["resources"]["requests"]["storage"]
        for c in ztrade.list("persistentvolumeclaims")
    }
    assert claims == {"data-ztrade-postgres-0": "10Gi", "data-ztrade-redis-0": "1Gi"}
    volumes = deployments["ztrade-trading"]["spec"]["template"]["spec"]["volumes"]
    assert {"ztrade-config"} <= {volume.get("configMap", {}).get("name") for volume in volumes}
    assert SECRETS.keys() <= ztrade.names("secrets")


@pytest.mark.acceptance("B27", "B28", "B33", "B34", "B63")
def test_every_program_has_limits_probes_and_the_addresses_of_what_it_needs(
    ztrade: Namespace,
) -> None:
    workloads = [*ztrade.list("deployments"), *ztrade.list("statefulsets")]
    for workload in workloads:
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert {"readinessProbe", "livenessProbe"} <= container.keys()
    (worker,) = (w for w in workloads if w["metadata"]["name"] == "ztrade-worker")
    env = worker["spec"]["template"]["spec"]["containers"][0]["env"]
    values = {variable["name"]: variable.get("value") for variable in env}
    assert (values["POSTGRES_HOST"], values["REDIS_HOST"]) == ("postgres-service", "redis-service")


@pytest.mark.acceptance("B31")
def test_the_dashboard_goes_behind_an_ingress_by_an_overlay(
    ztrade: Namespace, control_plane: ClusterHandle
) -> None:
    _apply(ztrade, _render(control_plane, "ztrade-ingress"))
    made = eventually(lambda: ztrade.get("ingresses", "ztrade-dashboard"))
    assert made["spec"]["tls"] == [{"hosts": ["ztrade.example.com"], "secretName": "ztrade-tls"}]
    eventually(lambda: ztrade.get("services", "dashboard-service")["spec"]["type"] == "ClusterIP")
    eventually(lambda: ztrade.is_ready("ztrade"))
