"""Autoscaling, exposure, drains and placement with the real controllers and scheduler."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from integration.kube_client import KubeClient, Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_service, build_system

NODES = "api/v1/nodes"


def _line(namespace: Namespace, system: str, component: str) -> dict[str, Any]:
    status = (namespace.get("tradingsystems", system) or {}).get("status", {})
    lines = (line for line in status.get("components", ()) if line["name"] == component)
    return next(lines, {})


def _start(namespace: Namespace, operators: Operators, system: dict[str, Any]) -> None:
    operators.start_leading()
    namespace.apply("tradingsystems", system)
    eventually(lambda: namespace.is_ready(system["metadata"]["name"]))


def _scaled(**more: Any) -> dict[str, Any]:
    requests = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    scaling = {"min": 2, "max": 6, "cpu": 70, **more}
    return build_service("worker", resources=requests, autoscaling=scaling)


def _replicas(namespace: Namespace, name: str) -> int:
    replicas: int = namespace.get("deployments", name)["spec"]["replicas"]
    return replicas


def _scale(namespace: Namespace, name: str, replicas: int) -> None:
    """Scale as an autoscaler does."""
    path = f"{namespace.path('deployments', name)}/scale"
    body = {"spec": {"replicas": replicas}}
    namespace.client.request("PATCH", path, body, "application/merge-patch+json")


@pytest.mark.acceptance("B35", "B43", "C23")
def test_the_number_of_an_autoscaled_service_is_left_to_its_autoscaler(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, build_system("s", [_scaled()]))
    assert _replicas(namespace, "s-worker") == 2
    revision = namespace.get("tradingsystems", "s")["status"]["revision"]

    # The real autoscaler, which has no metrics here, still raises the number to its least.
    namespace.apply("tradingsystems", build_system("s", [_scaled(min=4)]))
    eventually(lambda: _replicas(namespace, "s-worker") == 4)
    eventually(lambda: _line(namespace, "s", "worker").get("ready") == 4)
    before = len([w for w in operators.settle() if "deployments" in w])

    _scale(namespace, "s-worker", 5)
    eventually(lambda: _line(namespace, "s", "worker").get("ready") == 5)
    assert len([w for w in operators.settle() if "deployments" in w]) == before
    assert _replicas(namespace, "s-worker") == 5
    assert namespace.is_ready("s")
    # A number is no rendering: the revision stays when bounds and counts change.
    assert namespace.get("tradingsystems", "s")["status"]["revision"] == revision


@pytest.mark.acceptance("B35")
def test_a_change_of_an_autoscaled_service_keeps_its_number(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, build_system("s", [_scaled()]))
    _scale(namespace, "s-worker", 5)
    eventually(lambda: _line(namespace, "s", "worker").get("desired") == 5)
    changed = {**_scaled(), "image": "registry.example/worker:2"}
    namespace.apply("tradingsystems", build_system("s", [changed]))

    def rolled() -> bool:
        pods = namespace.list("pods")
        images = {pod["spec"]["containers"][0]["image"] for pod in pods}
        return images == {"registry.example/worker:2"} and len(pods) == 5

    eventually(rolled, 60)
    assert _replicas(namespace, "s-worker") == 5


@pytest.mark.acceptance("B35")
def test_the_status_says_why_an_autoscaler_cannot_work_and_a_number_ends_it(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, build_system("s", [_scaled()]))

    def complains() -> dict[str, Any]:
        line = _line(namespace, "s", "worker")
        return line if line.get("reason") == "AutoscalerFailing" else {}

    line = eventually(complains, 120)
    assert "metric" in line["message"]
    assert line["state"] == "Ready"

    fixed = build_service("worker", replicas=3)
    namespace.apply("tradingsystems", build_system("s", [fixed]))
    eventually(lambda: _replicas(namespace, "s-worker") == 3 and namespace.is_ready("s"))
    eventually(lambda: not namespace.list("horizontalpodautoscalers"))


@pytest.mark.acceptance("B49", "X11")
def test_a_service_goes_from_inside_to_outside_and_back(
    namespace: Namespace, operators: Operators
) -> None:
    ports = [{"name": "http", "port": 8501, "servicePort": 80}]
    inside = build_service("ui", ports=ports, serviceName="dashboard-service")
    exposure = {
        "type": "LoadBalancer",
        "sessionAffinity": "ClientIP",
        "loadBalancerSourceRanges": ["203.0.113.0/24"],
        "loadBalancerClass": "example.com/fake",
        "externalTrafficPolicy": "Local",
        "annotations": {"example.com/internal": "true"},
    }
    _start(namespace, operators, build_system("s", [{**inside, "exposure": exposure}]))
    service = namespace.get("services", "dashboard-service")
    assert (service["spec"]["type"], service["spec"]["sessionAffinity"]) == (
        "LoadBalancer",
        "ClientIP",
    )
    assert [(p["port"], p["targetPort"]) for p in service["spec"]["ports"]] == [(80, "http")]
    assert service["metadata"]["annotations"]["example.com/internal"] == "true"
    eventually(lambda: _line(namespace, "s", "ui")["reason"] == "ExternalAddressPending")

    address = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}}
    path = f"{namespace.path('services', 'dashboard-service')}/status"
    namespace.client.request("PATCH", path, address, "application/merge-patch+json")
    reached = eventually(
        lambda: "198.51.100.7, port 80" in _line(namespace, "s", "ui")["message"] or None
    )
    assert reached

    namespace.apply("tradingsystems", build_system("s", [inside]))

    def is_inside() -> bool:
        spec = namespace.get("services", "dashboard-service")["spec"]
        own = {"loadBalancerClass", "loadBalancerSourceRanges", "externalTrafficPolicy"}
        return (
            spec["type"] == "ClusterIP"
            and spec["sessionAffinity"] == "None"
            and not own & spec.keys()
            and all("nodePort" not in port for port in spec["ports"])
        )

    eventually(is_inside)
    assert (
        namespace.get("services", "dashboard-service")["spec"]["clusterIP"]
        == (service["spec"]["clusterIP"])
    )
    namespace.apply("tradingsystems", build_system("s", [{**inside, "exposure": exposure}]))
    eventually(
        lambda: namespace.get("services", "dashboard-service")["spec"]["type"] == "LoadBalancer"
    )
    eventually(lambda: namespace.is_ready("s"))
    writes = operators.settle()
    assert operators.settle(3.0) == writes


@pytest.mark.acceptance("B31", "C25")
def test_an_ingress_without_its_certificate_serves_and_says_so(
    namespace: Namespace, operators: Operators
) -> None:
    ingress = {
        "className": "nginx",
        "hosts": [{"host": "desk.example.com"}, {"host": "api.example.com", "paths": ["/v1"]}],
        "tlsSecretName": "desk-tls",
        "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
    }
    _start(namespace, operators, build_system("s", [build_service("ui", ingress=ingress)]))
    made = namespace.get("ingresses", "s-ui")
    hosts = ["desk.example.com", "api.example.com"]
    assert made["spec"]["tls"] == [{"hosts": hosts, "secretName": "desk-tls"}]
    assert [rule["host"] for rule in made["spec"]["rules"]] == hosts
    backend = made["spec"]["rules"][1]["http"]["paths"][0]
    assert backend == {
        "path": "/v1",
        "pathType": "Prefix",
        "backend": {"service": {"name": "s-ui", "port": {"name": "http"}}},
    }
    line = _line(namespace, "s", "ui")
    assert (line["state"], line["reason"]) == ("Ready", "TlsSecretNotFound")
    namespace.apply("tradingsystems", build_system("s", [build_service("ui")]))
    eventually(lambda: not namespace.list("ingresses"))


def _evict(namespace: Namespace, pod: str) -> int:
    path = f"{namespace.path('pods', pod)}/eviction"
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace.name},
    }
    try:
        namespace.client.request("POST", path, body)
    except httpx.HTTPStatusError as error:
        return error.response.status_code
    return 201


@pytest.fixture
def drained(client: KubeClient) -> Iterator[str]:
    """The label of nodes of the test's own; they are taken away after it."""
    label = "trading-operator-test/drain"
    yield label
    for node in client.request("GET", NODES)["items"]:
        if label in node["metadata"]["labels"]:
            client.request("DELETE", f"{NODES}/{node['metadata']['name']}")


def _make_node(client: KubeClient, name: str, label: str) -> None:
    labels = {"type": "kwok", "kubernetes.io/hostname": name, label: "yes"}
    annotations = {"kwok.x-k8s.io/node": "fake"}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {"taints": [{"key": label, "effect": "NoSchedule"}]},
        "status": {"allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"}},
    }
    client.request("POST", NODES, node)


def _only_on(label: str) -> dict[str, Any]:
    return {
        "nodeSelector": {label: "yes"},
        "tolerations": [{"key": label, "operator": "Exists"}],
    }


def _cordon(client: KubeClient, node: str, *, cordoned: bool = True) -> None:
    patch = {"spec": {"unschedulable": cordoned}}
    client.request("PATCH", f"{NODES}/{node}", patch, "application/merge-patch+json")


@pytest.mark.acceptance("B58")
def test_a_drain_takes_one_pod_at_a_time_and_never_hangs_on_a_single_one(
    namespace: Namespace, operators: Operators, client: KubeClient, drained: str
) -> None:
    node = f"{namespace.name}-1"
    _make_node(client, node, drained)
    services = [
        build_service("web", replicas=2, scheduling=_only_on(drained)),
        build_service("one"),
        build_service("writer", workload="SingleWriter"),
        build_service("kept", disruptionBudget={"minAvailable": 1}),
    ]
    _start(namespace, operators, build_system("s", services))
    assert namespace.names("poddisruptionbudgets") == {"s-web", "s-kept"}
    eventually(
        lambda: all(
            budget.get("status", {}).get("observedGeneration")
            and budget["status"]["expectedPods"] > 0
            for budget in namespace.list("poddisruptionbudgets")
        ),
        30,
    )
    pods = {
        name: sorted(namespace.names("pods", f"app.kubernetes.io/component={name}"))
        for name in ("web", "one", "writer", "kept")
    }
    _cordon(client, node)  # as a drain does: no successor is Ready before the second pod is asked
    eventually(lambda: _evict(namespace, pods["web"][0]) == 201)
    assert _evict(namespace, pods["web"][1]) == 429
    assert _evict(namespace, pods["one"][0]) == 201
    assert _evict(namespace, pods["writer"][0]) == 201
    assert _evict(namespace, pods["kept"][0]) == 429
    assert "drain stops here" in eventually(lambda: _line(namespace, "s", "kept")["message"])
    _cordon(client, node, cordoned=False)
    eventually(lambda: namespace.is_ready("s"))


def _nodes_of(namespace: Namespace) -> dict[str, set[str]]:
    """Return the nodes of each component's live pods."""
    found: dict[str, set[str]] = {}
    for pod in namespace.list("pods"):
        if "deletionTimestamp" not in pod["metadata"]:
            component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            found.setdefault(component, set()).add(pod["spec"].get("nodeName", "nowhere"))
    return found


@pytest.mark.acceptance("B36")
def test_pods_that_share_a_volume_of_one_node_share_the_node(
    namespace: Namespace, operators: Operators
) -> None:
    mounts = {
        name: [{"name": volume, "mountPath": f"/{volume}"} for volume in volumes]
        for name, volumes in {"a": ["one"], "b": ["one", "two"], "c": ["two"]}.items()
    }
    services = [
        build_service("a", replicas=3, volumes=mounts["a"]),
        build_service("b", replicas=2, volumes=mounts["b"]),
        build_service("c", volumes=mounts["c"], workload="SingleWriter"),
        build_service("free", replicas=3),
    ]
    volumes = [
        {"name": name, "size": "1Gi", "accessMode": "ReadWriteOnce"} for name in ("one", "two")
    ]
    _start(namespace, operators, build_system("s", services, volumes=volumes))
    nodes = _nodes_of(namespace)
    assert len(nodes["a"] | nodes["b"] | nodes["c"]) == 1
    assert len(nodes["free"]) == 3
    assert "nowhere" not in nodes["a"]

    # A change takes the old pods away first, and the new ones find the others.
    changed = [{**services[0], "image": "registry.example/a:2"}, *services[1:]]
    namespace.apply("tradingsystems", build_system("s", changed, volumes=volumes))
    eventually(lambda: namespace.is_ready("s"), 60)
    nodes = _nodes_of(namespace)
    assert len(nodes["a"] | nodes["b"] | nodes["c"]) == 1


@pytest.mark.acceptance("B36", "B58")
def test_a_drain_moves_all_pods_of_a_shared_volume_to_another_node(
    namespace: Namespace, operators: Operators, client: KubeClient, drained: str
) -> None:
    names = [f"{namespace.name}-{number}" for number in (1, 2)]
    for name in names:
        _make_node(client, name, drained)
    scheduling = _only_on(drained)
    mount = [{"name": "shared", "mountPath": "/shared"}]
    services = [
        build_service("a", replicas=2, volumes=mount, scheduling=scheduling),
        build_service("b", volumes=mount, scheduling=scheduling),
    ]
    volumes = [{"name": "shared", "size": "1Gi", "accessMode": "ReadWriteOnce"}]
    _start(namespace, operators, build_system("s", services, volumes=volumes))
    (first,) = set().union(*_nodes_of(namespace).values())
    _cordon(client, first)
    for pod in namespace.list("pods"):
        assert _evict(namespace, pod["metadata"]["name"]) == 201
    eventually(
        lambda: (
            set().union(*_nodes_of(namespace).values()) == {*names} - {first}
            and namespace.is_ready("s")
        ),
        60,
    )
