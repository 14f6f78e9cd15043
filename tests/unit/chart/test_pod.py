"""The operator's pod: hardened, probed, placed and configured by the values."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from trading_operator.settings import Settings
from unit.chart.rendering import (
    Chart,
    Manifest,
    container,
    environment,
    of_kind,
    only,
    pod_spec,
)

SAFE_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "persistentVolumeClaim"}
SAFE_VOLUMES |= {"projected", "secret"}
MANY = {
    "replicas": 2,
    "extraEnv": [{"name": "A", "value": "b"}],
    "podLabels": {"team": "desk"},
    "rbac": {"scope": "namespaced"},
}


def pod_violations(pod: Manifest) -> Iterator[str]:
    """Find what the restricted Pod Security standard forbids in the pod as a whole."""
    if any(pod.get(field) for field in ("hostNetwork", "hostPID", "hostIPC")):
        yield "host namespace"
    if not all(set(volume) - {"name"} <= SAFE_VOLUMES for volume in pod.get("volumes", [])):
        yield "volume type"
    if pod["securityContext"].get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccomp profile"
    if not pod["securityContext"].get("runAsNonRoot"):
        yield "may run as root"


def container_violations(item: Manifest) -> Iterator[str]:
    """Find what the restricted Pod Security standard forbids in one container."""
    security = item.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "privilege escalation"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "capabilities"
    if security.get("privileged") or any(port.get("hostPort") for port in item["ports"]):
        yield "privileged or host port"


@pytest.mark.parametrize("values", [{}, MANY])
def test_the_pod_passes_the_restricted_standard(chart: Chart, values: Mapping[str, Any]) -> None:
    manifests = chart.render(values)
    assert list(pod_violations(pod_spec(manifests))) == []
    assert list(container_violations(container(manifests))) == []


def test_the_pod_is_unprivileged_beyond_the_standard(chart: Chart) -> None:
    manifests = chart.render()
    pod = pod_spec(manifests)
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (
        10001,
        10001,
    )
    assert container(manifests)["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}]


def test_only_the_operators_pod_gets_the_accounts_token(chart: Chart) -> None:
    manifests = chart.render()
    assert only(manifests, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod_spec(manifests)["automountServiceAccountToken"] is True


def test_probes_and_the_service_use_the_named_port(chart: Chart) -> None:
    manifests = chart.render()
    operator = container(manifests)
    (port,) = operator["ports"]
    assert (port["name"], port["containerPort"]) == ("http", 8080)
    assert environment(manifests)["TRADING_OPERATOR_PORT"]["value"] == "8080"
    for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert operator[probe]["httpGet"] == {"path": path, "port": "http"}
    assert only(manifests, "Service")["spec"]["ports"][0]["targetPort"] == "http"


def test_default_resources_leave_processor_time_unlimited(chart: Chart) -> None:
    assert container(chart.render())["resources"] == {
        "requests": {"cpu": "50m", "memory": "96Mi"},
        "limits": {"memory": "256Mi"},
    }


@pytest.mark.parametrize(
    ("image", "rendered"),
    [
        ({}, "trading-operator:0.1.0"),
        ({"tag": "1.2.3"}, "trading-operator:1.2.3"),
        ({"repository": "registry.example:5000/ops/op"}, "registry.example:5000/ops/op:0.1.0"),
        (
            {"digest": "sha256:" + "a" * 64, "tag": "1.2.3"},
            "trading-operator@sha256:" + "a" * 64,
        ),
    ],
)
def test_the_image_is_a_tag_or_a_digest(
    chart: Chart, image: Mapping[str, str], rendered: str
) -> None:
    operator = container(chart.render({"image": image}))
    assert operator["image"] == rendered
    assert operator["imagePullPolicy"] == "IfNotPresent"


def test_engine_images_reach_the_operator_only_when_chosen(chart: Chart) -> None:
    def images(values: Mapping[str, Any]) -> dict[str, str]:
        variables = environment(chart.render(values))
        prefix = "TRADING_OPERATOR_IMAGE_"
        return {
            name.removeprefix(prefix): variable["value"]
            for name, variable in variables.items()
            if name.startswith(prefix)
        }

    assert images({}) == {}
    engines = {"postgresql": "pg:17", "timescaledb": "ts:2", "redis": "redis:8"}
    values = {"engines": {name: {"image": image} for name, image in engines.items()}}
    assert images(values) == {name.upper(): image for name, image in engines.items()}
    assert images({"backup": {"image": "mirror/backup:1"}}) == {"BACKUP": "mirror/backup:1"}


@pytest.mark.parametrize(
    ("values", "namespaces"),
    [
        ({}, ()),
        ({"rbac": {"scope": "namespaced"}}, ("ops",)),
        ({"rbac": {"scope": "namespaced"}, "watchNamespaces": ["a", "b"]}, ("a", "b")),
    ],
)
def test_the_operator_watches_where_its_roles_are(
    chart: Chart,
    monkeypatch: pytest.MonkeyPatch,
    values: Mapping[str, Any],
    namespaces: tuple[str, ...],
) -> None:
    for name, variable in environment(chart.render(values)).items():
        monkeypatch.setenv(name, variable.get("value", "from-the-pod"))
    assert Settings().watch_namespaces == namespaces


def test_the_operator_knows_every_variable_that_the_chart_sets(chart: Chart) -> None:
    images = {name: {"image": "x:1"} for name in ("postgresql", "timescaledb", "redis")}
    given = environment(chart.render({"engines": images, "backup": {"image": "x:1"}}))
    known = {f"TRADING_OPERATOR_{name.upper()}" for name in Settings.model_fields}
    assert set(given) <= known


def test_the_lease_has_the_name_that_the_role_allows(chart: Chart) -> None:
    manifests = chart.render()
    name = environment(manifests)["TRADING_OPERATOR_LEASE_NAME"]["value"]
    (role,) = [r for r in of_kind(manifests, "Role") if r["metadata"]["name"].endswith("-lease")]
    assert role["rules"][1]["resourceNames"] == [name]


def test_values_of_the_pod_reach_the_pod(chart: Chart) -> None:
    values = {
        "logLevel": "DEBUG",
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "proxy:3128"}],
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
        "podAnnotations": {"note": "42"},
        "podLabels": {"team": "desk"},
    }
    manifests = chart.render(values)
    pod, variables = pod_spec(manifests), environment(manifests)
    assert variables["TRADING_OPERATOR_LOG_LEVEL"]["value"] == "DEBUG"
    assert variables["HTTPS_PROXY"]["value"] == "proxy:3128"
    for field in ("imagePullSecrets", "priorityClassName", "nodeSelector", "tolerations"):
        assert pod[field] == values[field]
    metadata = only(manifests, "Deployment")["spec"]["template"]["metadata"]
    assert metadata["annotations"] == {"note": "42"}
    assert metadata["labels"]["team"] == "desk"


def test_replicas_prefer_different_nodes_unless_told_otherwise(chart: Chart) -> None:
    affinity = pod_spec(chart.render({"replicas": 2}))["affinity"]["podAntiAffinity"]
    assert list(affinity) == ["preferredDuringSchedulingIgnoredDuringExecution"]
    node: Manifest = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
    given = {"nodeAffinity": node}
    assert pod_spec(chart.render({"affinity": given}))["affinity"] == given


def test_a_spread_constraint_without_selector_gets_the_operators_own(chart: Chart) -> None:
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
    }
    manifests = chart.render({"topologySpreadConstraints": [spread]})
    selector = only(manifests, "Deployment")["spec"]["selector"]
    assert pod_spec(manifests)["topologySpreadConstraints"] == [
        {**spread, "labelSelector": selector}
    ]
