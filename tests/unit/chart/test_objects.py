"""The other objects of the chart, their labels, and what happens to the definitions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from trading_operator.manifests.metadata import Owner, build_selector
from unit.chart.rendering import CHART, Chart, Manifest, of_kind, only

CRDS = Path(__file__).parents[3] / "crds"
EVERYTHING = {
    "replicas": 2,
    "networkPolicy": {"enabled": True},
    "metrics": {
        kind: {"enabled": True}
        for kind in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboard")
    },
    "rbac": {"scope": "namespaced"},
}
LABELS = {
    "app.kubernetes.io/name": "trading-operator",
    "app.kubernetes.io/instance": "rel",
    "app.kubernetes.io/version": "0.1.0",
    "app.kubernetes.io/component": "operator",
    "app.kubernetes.io/part-of": "trading-operator",
    "app.kubernetes.io/managed-by": "Helm",
    "helm.sh/chart": "trading-operator-0.1.0",
}


def test_every_object_carries_the_recommended_and_the_common_labels(chart: Chart) -> None:
    for manifest in chart.render({**EVERYTHING, "commonLabels": {"team": "desk"}}):
        labels = manifest["metadata"]["labels"]
        assert labels.items() >= {**LABELS, "team": "desk"}.items(), manifest["kind"]


def selectors(manifests: list[Manifest]) -> list[Manifest]:
    """Return how every object of the chart selects the operator's pods."""
    by_labels = ("Deployment", "PodDisruptionBudget", "ServiceMonitor", "PodMonitor")
    found = [only(manifests, kind)["spec"]["selector"]["matchLabels"] for kind in by_labels]
    found.append(only(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"])
    found.append(only(manifests, "Service")["spec"]["selector"])
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"image": {"tag": "9.9.9"}},
        {"commonLabels": {"team": "desk"}},
        {"podLabels": {"team": "desk"}},
        {"rbac": {"scope": "cluster"}},
        {"fullnameOverride": "another"},
    ],
)
def test_selectors_are_the_same_whatever_an_upgrade_changes(
    chart: Chart, change: Mapping[str, Any]
) -> None:
    stable = {key: LABELS[key] for key in ("app.kubernetes.io/name", "app.kubernetes.io/instance")}
    for values in (EVERYTHING, {**EVERYTHING, **change}):
        manifests = chart.render(values)
        assert all(selector == stable for selector in selectors(manifests))
        pod = only(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
        assert pod.items() >= stable.items()


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1), (3, 1)])
def test_a_disruption_budget_comes_with_the_second_replica(
    chart: Chart, replicas: int, budgets: int
) -> None:
    found = of_kind(chart.render({"replicas": replicas}), "PodDisruptionBudget")
    assert len(found) == budgets
    for budget in found:
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_two_replicas_are_the_default(chart: Chart) -> None:
    manifests = chart.render()
    assert only(manifests, "Deployment")["spec"]["replicas"] == 2
    assert len(of_kind(manifests, "PodDisruptionBudget")) == 1


def test_monitors_and_the_network_policy_are_off_until_asked_for(chart: Chart) -> None:
    kinds = {manifest["kind"] for manifest in chart.render()}
    assert not kinds & {"ServiceMonitor", "PodMonitor", "NetworkPolicy"}


def test_monitors_scrape_the_named_port(chart: Chart) -> None:
    labels = {"release": "prometheus"}
    monitor = {"enabled": True, "interval": "5s", "labels": labels}
    manifests = chart.render({"metrics": {"serviceMonitor": monitor, "podMonitor": monitor}})
    endpoint = {"port": "http", "path": "/metrics", "interval": "5s", "honorLabels": True}
    service, pod = only(manifests, "ServiceMonitor"), only(manifests, "PodMonitor")
    assert service["spec"]["endpoints"] == pod["spec"]["podMetricsEndpoints"] == [endpoint]
    assert service["metadata"]["labels"].items() >= labels.items()
    assert pod["metadata"]["labels"].items() >= labels.items()


def test_the_network_policy_leaves_name_resolution_the_api_server_and_scraping(
    chart: Chart,
) -> None:
    policy = {
        "enabled": True,
        "metricsNamespaces": ["monitoring"],
        "apiServerCidrs": ["10.96.0.1/32"],
    }
    spec = only(chart.render({"networkPolicy": policy}), "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    (ingress,) = spec["ingress"]
    (source,) = ingress["from"]
    (expression,) = source["namespaceSelector"]["matchExpressions"]
    assert expression["values"] == ["monitoring"]
    resolution, jobs, services, server = spec["egress"]
    assert {port["port"] for port in resolution["ports"]} == {53}
    (pods,) = jobs["to"]
    assert pods["podSelector"]["matchLabels"] == {"tradingoperator.io/role": "job"}
    assert [port["port"] for port in jobs["ports"]] == [8090]
    assert services["ports"] == [{"protocol": "TCP"}]
    assert server["to"] == [{"ipBlock": {"cidr": "10.96.0.1/32"}}]
    assert [port["port"] for port in server["ports"]] == [443, 6443]


def test_the_network_policy_lets_the_operator_ask_every_service_for_its_models(
    chart: Chart,
) -> None:
    spec = only(chart.render({"networkPolicy": {"enabled": True}}), "NetworkPolicy")["spec"]
    peers = [peer for rule in spec["egress"] for peer in rule.get("to", ())]
    (services,) = (each for each in peers if "matchExpressions" in each.get("podSelector", {}))
    assert services["namespaceSelector"] == {}, "systems are in every namespace"
    labels = build_selector(Owner("v1", "TradingSystem", "desk", "ns", "uid", 1), "strategy")
    selector = services["podSelector"]
    assert selector["matchLabels"].items() <= labels.items()
    (exists,) = selector["matchExpressions"]
    assert exists["operator"] == "Exists"
    assert exists["key"] in labels


def test_no_object_relies_on_the_namespace_of_the_person_who_applies_it(chart: Chart) -> None:
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for manifest in chart.render(EVERYTHING):
        has_namespace = "namespace" in manifest["metadata"]
        assert has_namespace == (manifest["kind"] not in cluster_wide), manifest["kind"]


def test_the_chart_holds_exactly_the_generated_definitions(chart: Chart) -> None:
    generated = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
    assert generated, "crds/ is empty: generate the definitions"
    wanted = {crd["metadata"]["name"]: crd["spec"] for crd in generated}
    rendered = of_kind(chart.render(), "CustomResourceDefinition")
    assert {crd["metadata"]["name"]: crd["spec"] for crd in rendered} == wanted


def test_definitions_survive_an_uninstall_and_can_be_left_out(chart: Chart) -> None:
    for crd in of_kind(chart.render(), "CustomResourceDefinition"):
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not of_kind(chart.render({"crds": {"create": False}}), "CustomResourceDefinition")
    assert not (CHART / "crds").exists(), "Helm never upgrades what lies in crds/"


def test_the_notes_say_the_next_three_commands(chart: Chart) -> None:
    notes = chart.notes()
    commands = [line.strip() for line in notes.splitlines() if line.strip().startswith("kubectl")]
    assert commands == [
        "kubectl apply -k examples/autonomous",
        "kubectl get tradingsystems --watch",
        "kubectl describe tradingsystems",
    ]
    namespaced = chart.notes({"rbac": {"scope": "namespaced"}, "watchNamespaces": ["desk-a"]})
    assert "kubectl get tradingsystems -n desk-a --watch" in namespaced


def test_artifact_hub_annotations_name_what_is_there(chart: Chart) -> None:
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    notes = {k.rpartition("/")[2]: v for k, v in metadata["annotations"].items()}
    crds = {crd["name"] for crd in yaml.safe_load(notes["crds"])}
    rendered = of_kind(chart.render(), "CustomResourceDefinition")
    assert crds == {crd["metadata"]["name"] for crd in rendered}
    (image,) = yaml.safe_load(notes["images"])
    operator = only(chart.render(), "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert image["image"] == operator["image"]
    assert notes["license"] == "Apache-2.0"
    assert metadata["kubeVersion"] == ">=1.30.0-0"
