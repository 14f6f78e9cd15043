"""The example comes up in order and kubectl tells about it."""

import json

import pytest

from demo.steps import SYSTEM
from e2e.start_record import StartRecord
from e2e.trading_cluster import TradingCluster

ORDER = [
    "timescaledb",
    "system-controller",
    "data-acquisition",
    "feature-engineering",
    "model-training",
    "trading-strategy",
]
EDGES = [
    pytest.param("system-controller", "timescaledb", marks=pytest.mark.acceptance("A41", "A53")),
    pytest.param(
        "data-acquisition", "system-controller", marks=pytest.mark.acceptance("A42", "A54")
    ),
    pytest.param("data-acquisition", "timescaledb", marks=pytest.mark.acceptance("A42")),
    pytest.param(
        "feature-engineering", "data-acquisition", marks=pytest.mark.acceptance("A43", "A55")
    ),
    pytest.param(
        "model-training", "feature-engineering", marks=pytest.mark.acceptance("A44", "A56")
    ),
    pytest.param("trading-strategy", "model-training", marks=pytest.mark.acceptance("A45", "A57")),
]


@pytest.mark.acceptance("A01", "A02", "A03", "A04", "A05", "A07", "A34")
def test_every_component_of_the_document_runs(trading: TradingCluster, example: str) -> None:
    pods = {
        p["metadata"]["labels"]["app.kubernetes.io/component"]: p for p in trading.pods(example)
    }
    assert sorted(pods) == sorted(ORDER)
    for component in ORDER[1:]:
        image = pods[component]["spec"]["containers"][0]["image"]
        assert image == f"autonomous_trading_system/{component}:0.1.0"


@pytest.mark.acceptance("A59")
@pytest.mark.parametrize(("dependant", "dependency"), EDGES)
def test_a_dependant_is_created_only_after_its_dependency_is_ready(
    started: StartRecord, dependant: str, dependency: str
) -> None:
    assert started.created[dependant] >= started.ready[dependency]


def test_kubectl_get_shows_readiness_components_and_mode(
    trading: TradingCluster, example: str
) -> None:
    header, row = trading.kubectl("get", "tradingsystems", "-n", example).splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "COMPONENTS", "REVISION", "MODE", "AGE"]
    name, ready, _reason, components, revision, mode, _age = row.split()
    assert (name, ready, components, mode) == (SYSTEM, "True", "6/6", "Paper")
    assert len(revision) >= 8
    # The last column is the age, and time goes on between two questions.
    short, category = (
        trading.kubectl("get", kind, "-n", example).splitlines()[1].split()[:-1]
        for kind in ("tsys", "trading")
    )
    assert short == row.split()[:-1]
    # Of a category that has several kinds, each row names its own.
    assert category == [f"tradingsystem.tradingoperator.io/{SYSTEM}", *short[1:]]


def test_kubectl_wait_describe_and_explain_serve(trading: TradingCluster, example: str) -> None:
    trading.kubectl(
        "wait", "--for=condition=Ready", f"tradingsystem/{SYSTEM}", "-n", example, "--timeout=20s"
    )
    described = trading.kubectl("describe", "tradingsystem", SYSTEM, "-n", example)
    assert all(component in described for component in ORDER)
    explained = trading.kubectl("explain", "tradingsystem.spec.services.dependsOn")
    assert "Ready" in explained
    assert "<no description>" not in trading.kubectl(
        "explain", "tradingsystem", "--recursive=false"
    )


def test_events_tell_the_steps(trading: TradingCluster, example: str) -> None:
    events = trading.tools.get("events.events.k8s.io", "-n", example)["items"]
    ours = [e for e in events if e["regarding"].get("kind") == "TradingSystem"]
    assert {e["reportingController"] for e in ours} == {"tradingoperator.io/trading-operator"}
    assert any("Ready" in e["reason"] for e in ours)


@pytest.mark.acceptance("A27", "A79")
def test_no_pod_runs_as_root_or_carries_an_api_token(trading: TradingCluster, example: str) -> None:
    labels = trading.tools.get("namespace", example)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in trading.pods(example):
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert "serviceAccountToken" not in json.dumps(pod["spec"])
    strategy = f"{SYSTEM}-trading-strategy-0"
    identity = trading.kubectl("exec", "-n", example, strategy, "--", "id", "-u").strip()
    assert identity == "1000"


@pytest.mark.acceptance("A40")
def test_a_program_that_ends_is_started_again(trading: TradingCluster, example: str) -> None:
    assert {pod["spec"]["restartPolicy"] for pod in trading.pods(example)} == {"Always"}


@pytest.mark.acceptance("A46", "A47", "A48", "A14", "A15", "A16", "A17")
def test_configs_and_shared_volumes_are_where_the_document_says(
    trading: TradingCluster, example: str
) -> None:
    for component in ORDER[1:]:
        pod = trading.pods(example, component)[0]["metadata"]["name"]
        listing = trading.kubectl(
            "exec", "-n", example, pod, "--", "ls", "/app/config", "/app/logs"
        )
        for file in (
            "logging.yaml",
            "market_hours.json",
            "feature_config.json",
            "model_config.json",
        ):
            assert file in listing
    claims = trading.tools.get("pvc", "-n", example)["items"]
    bound = {c["metadata"]["name"] for c in claims if c["status"]["phase"] == "Bound"}
    shared = {f"{SYSTEM}-{name}" for name in ("logs", "data", "features", "models")}
    assert bound == shared | {f"data-{SYSTEM}-timescaledb-0"}


@pytest.mark.acceptance("A51", "A52")
def test_network_policies_deny_by_default_and_allow_the_edges(
    trading: TradingCluster, example: str
) -> None:
    policies = trading.tools.get("networkpolicies", "-n", example)["items"]
    text = json.dumps(policies)
    deny = [p for p in policies if set(p["spec"]["policyTypes"]) == {"Ingress", "Egress"}]
    assert deny
    assert all(component in text for component in ORDER)
    assert "0.0.0.0/0" not in text
