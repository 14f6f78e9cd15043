"""The children as a real API server takes them: valid, restricted, and settled at once."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from integration.kube_client import KubeClient, Namespace
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.compare import differs
from trading_operator.manifests.metadata import COMPONENT, REVISION_ANNOTATION, Manifest
from trading_operator.plan.observed import Observed, PodFacts, Ref, SecretFacts, ref_of
from trading_operator.plan.trading_system import plan_trading_system
from trading_operator.plan.types import OperandSettings, Owner, Plan

SPEC: dict[str, Any] = {
    "mode": "Live",
    "imagePullSecrets": ["registry"],
    "env": [{"name": "LOG_LEVEL", "value": ""}],
    "configs": [{"name": "settings", "files": {"a.yaml": "a: 1"}}],
    "volumes": [
        {"name": "models", "size": "1.5Gi", "storageClassName": "standard"},
        {"name": "shared", "size": "1Gi", "accessMode": "ReadWriteOnce"},
        {"name": "archive", "size": "1Gi", "accessMode": "ReadOnlyMany"},
        {"name": "own", "size": "1Gi", "accessMode": "ReadWriteOncePod"},
    ],
    "network": {"monitoringNamespaces": ["monitoring"]},
    "datastores": [
        {
            "name": "timescaledb",
            "engine": "TimescaleDB",
            "storage": {"size": "1024Mi"},
            "initScripts": {"config": "settings"},
            "parameters": {"max_connections": "50"},
            "resources": {"requests": {"cpu": "0.5"}, "limits": {"memory": "1024Mi", "cpu": 2}},
        },
        {
            "name": "cache",
            "engine": "Redis",
            "storage": {"size": 1000000},
            "port": 6000,
            "runAsUser": 1001,
            "runAsGroup": 1002,
            "disruptionBudget": {"minAvailable": 1},
            "scheduling": {"nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "db"}]},
        },
    ],
    "services": [
        {
            "name": "strategy",
            "image": "app:1",
            "workload": "SingleWriter",
            "ports": [{"name": "http", "port": 8004}, {"name": "zmq", "port": 5555}],
            "health": {"path": "/health"},
            "liveness": {"path": "/livez"},
            "configs": [{"name": "settings", "mountPath": "/app/config"}],
            "volumes": [{"name": "models", "mountPath": "/app/models", "readOnly": True}],
            "writablePaths": ["/app/cache"],
            "env": [
                {"name": "API_KEY", "secretKeyRef": {"name": "broker", "key": "key"}},
                {
                    "name": "API_SECRET",
                    "secretKeyRef": {"name": "broker", "key": "key"},
                    "expose": "Variable",
                },
            ],
            "egress": [{"cidr": "203.0.113.0/24", "ports": [443]}],
            "dependsOn": [{"name": "timescaledb"}, {"name": "cache", "required": False}],
        },
        {
            "name": "train",
            "image": "app:1",
            "gpu": {"count": 1},
            "replicas": 0,
            "command": ["run"],
            "args": ["--once"],
            "health": {"command": ["true"]},
            "terminationGracePeriod": "90s",
        },
        {
            "name": "feed",
            "image": "app:1",
            "imagePullPolicy": "Never",
            "ports": [{"name": "tcp", "port": 1}],
            "health": {"port": "tcp"},
            "replicas": 2,
            "volumes": [
                {"name": "shared", "mountPath": "/shared"},
                {"name": "archive", "mountPath": "/archive", "readOnly": True},
            ],
        },
        {
            "name": "worker",
            "image": "app:1",
            "resources": {"requests": {"cpu": "0.25", "memory": "64Mi"}},
            "autoscaling": {
                "min": 2,
                "max": 7,
                "cpu": 70,
                "memory": 90,
                "external": [
                    {
                        "metric": "queue",
                        "selector": {"matchLabels": {"queue": "orders"}},
                        "averageValue": "1.5",
                    },
                    {"metric": "lag", "value": "2000m"},
                ],
                "scaleDownStabilization": "2m",
            },
            "disruptionBudget": {"maxUnavailable": "25%"},
            "scheduling": {
                "nodeSelector": {"zone": "a"},
                "tolerations": [
                    {"key": "desk", "value": "fx", "effect": "NoSchedule"},
                    {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30},
                ],
                "priorityClassName": "system-cluster-critical",
                "topologySpread": [
                    {"key": "topology.kubernetes.io/zone", "maxSkew": 2},
                    {"key": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"},
                ],
            },
        },
        {
            "name": "dashboard",
            "image": "app:1",
            "volumes": [{"name": "own", "mountPath": "/own"}],
            "ports": [
                {"name": "http", "port": 8501, "servicePort": 80},
                {"name": "https", "port": 8443, "servicePort": 443},
            ],
            "exposure": {
                "type": "LoadBalancer",
                "sessionAffinity": "ClientIP",
                "sessionAffinityTimeout": "1h",
                "loadBalancerSourceRanges": ["203.0.113.0/24", "198.51.100.0/24"],
                "loadBalancerClass": "example.com/internal",
                "externalTrafficPolicy": "Local",
                "annotations": {"example.com/lb": "internal"},
            },
            "ingress": {
                "className": "nginx",
                "hosts": [
                    {"host": "desk.example.com", "paths": ["/ui", "/api"]},
                    {"host": "*.example.org"},
                ],
                "port": "https",
                "tlsSecretName": "desk-tls",
                "annotations": {"example.com/x": ""},
            },
        },
    ],
}

RUNNERS = ("Deployment", "StatefulSet")
PATHS = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "Service": "services",
    "ConfigMap": "configmaps",
    "NetworkPolicy": "networkpolicies",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Ingress": "ingresses",
    "ControllerRevision": "controllerrevisions",
}


@pytest.fixture
def restricted(client: KubeClient) -> Iterator[Namespace]:
    """A namespace of the test's own, which refuses pods outside the restricted profile."""
    with client.new_namespace("restricted") as made:
        yield made


BROKER = SecretFacts("broker", frozenset({"key"}), "digest")
OPERAND = OperandSettings(operator_namespace="trading-operator")
MOST_PASSES = 6


def _dry_run(namespace: Namespace, manifest: Manifest) -> Manifest:
    path = namespace.path(PATHS[manifest["kind"]])
    answer: Manifest = namespace.client.request("POST", path, manifest, dryRun="All")
    return answer


def _pods(children: dict[Ref, Manifest]) -> tuple[PodFacts, ...]:
    """Return a ready pod for every workload."""
    templates = [live["spec"]["template"] for ref, live in children.items() if ref.kind in RUNNERS]
    return tuple(
        PodFacts(
            name=template["metadata"]["labels"][COMPONENT],
            component=template["metadata"]["labels"][COMPONENT],
            revision=template["metadata"]["annotations"][REVISION_ANNOTATION],
            phase="Running",
            ready=True,
            deleting=False,
            restarts=0,
            reason="",
            message="",
            started=True,
        )
        for template in templates
    )


@pytest.fixture
def settled(restricted: Namespace) -> tuple[Plan, dict[Ref, Manifest]]:
    """The plan of a system that is all up, and the objects as the server would store them."""
    spec = TradingSystemSpec.model_validate(SPEC)
    owner = Owner("tradingoperator.io/v1alpha1", "TradingSystem", "m", restricted.name, "uid", 1)
    children: dict[Ref, Manifest] = {}
    secrets = {"broker": BROKER}
    for _ in range(MOST_PASSES):
        observed = Observed(children=children, pods=_pods(children), secrets=secrets)
        plan = plan_trading_system(owner, spec, observed, datetime(2026, 1, 1, tzinfo=UTC), OPERAND)
        missing = [manifest for manifest in plan.objects if ref_of(manifest) not in children]
        if not missing:
            return plan, children
        children |= {ref_of(manifest): _dry_run(restricted, manifest) for manifest in missing}
        for request in plan.generated_secrets:
            made = request.manifest["metadata"]
            keys = frozenset({"password", *request.fields})
            secrets[made["name"]] = SecretFacts(made["name"], keys, "digest", made["labels"])
    raise AssertionError(f"not settled after {MOST_PASSES} passes")


Settled = tuple[Plan, dict[Ref, Manifest]]


def test_a_settled_system_has_no_difference_to_write(settled: Settled) -> None:
    plan, children = settled
    assert {ref.kind for ref in children} == set(PATHS)
    assert [component.block for component in plan.components] == [None] * 7
    different = [ref_of(m) for m in plan.objects if differs(m, children[ref_of(m)])]
    assert different == []
    assert (plan.prune, plan.replace_pods) == ((), ())


def test_somebody_elses_change_of_what_the_plan_sets_is_seen(settled: Settled) -> None:
    plan, children = settled
    wanted = next(m for m in plan.objects if ref_of(m) == Ref("Deployment", "m-feed"))
    live = copy.deepcopy(children[ref_of(wanted)])
    live["metadata"]["labels"]["foreign"] = "yes"
    live["spec"]["template"]["spec"]["nodeSelector"] = {"foreign": "yes"}
    assert not differs(wanted, live)
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "other:1"
    assert differs(wanted, live)


@pytest.mark.acceptance("A27", "A79")
def test_every_pod_is_admitted_under_the_restricted_profile(
    settled: Settled, restricted: Namespace
) -> None:
    plan, _ = settled
    workloads = [manifest for manifest in plan.objects if manifest["kind"] in RUNNERS]
    assert len(workloads) == 7
    for workload in workloads:
        template = workload["spec"]["template"]
        claim = {"name": "data", "emptyDir": {}}
        if workload["spec"].get("volumeClaimTemplates"):
            template = copy.deepcopy(template)
            template["spec"]["volumes"].append(claim)
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": workload["metadata"]["name"], **template["metadata"]},
            "spec": template["spec"],
        }
        restricted.client.request("POST", restricted.path("pods"), pod, dryRun="All")
