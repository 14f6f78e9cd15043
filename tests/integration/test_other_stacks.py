"""What the documents of other stacks ask for: limits, storage, order, restarts, roles.

QuestDB and Kafka are services here: the operator has no engines for them yet.
"""

import json
from datetime import datetime
from typing import Any

import pytest

from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators
from integration.systems import build_datastore, build_service, build_system
from integration.trainings import RUNS_ON, build_training, end_training, phase, trained

GRACE_SECONDS = 60
Spec = dict[str, Any]


def _limits(cpu: str, memory: str) -> Spec:
    return {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": cpu, "memory": memory}}


def _start(namespace: Namespace, operators: Operators, system: Spec) -> None:
    operators.start_leading()
    namespace.apply("tradingsystems", system)
    eventually(lambda: namespace.is_ready(system["metadata"]["name"]), GRACE_SECONDS)


def _pods(namespace: Namespace, component: str) -> list[Any]:
    found = namespace.list("pods", f"app.kubernetes.io/component={component}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def _container(namespace: Namespace, component: str) -> Any:
    return _pods(namespace, component)[0]["spec"]["containers"][0]


def _claims(namespace: Namespace, component: str) -> set[str]:
    """Return the claims that a component's pods mount."""
    volumes = (v for pod in _pods(namespace, component) for v in pod["spec"]["volumes"])
    return {
        v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v
    }


def _scale(namespace: Namespace, name: str, replicas: int) -> None:
    """Scale as an autoscaler does."""
    path = f"{namespace.path('deployments', name)}/scale"
    body = {"spec": {"replicas": replicas}}
    namespace.client.request("PATCH", path, body, "application/merge-patch+json")


LIMITS = {
    "frontend": ("1", "512Mi"),
    "backend": ("2", "1Gi"),
    "postgres": ("2", "2Gi"),
    "redis": ("1", "512Mi"),
    "monitoring": ("1", "1Gi"),
}


def _build_production(postgres_memory: str = "2Gi") -> Spec:
    scaling = {"min": 1, "max": 4, "cpu": 70}
    kept = [{"name": "metrics", "mountPath": "/prometheus"}]
    limits = {name: _limits(*limit) for name, limit in LIMITS.items()}
    limits["postgres"] = _limits("2", postgres_memory)
    return build_system(
        "production",
        [
            build_service("frontend", "backend", resources=limits["frontend"], autoscaling=scaling),
            build_service(
                "backend", "postgres", "redis", resources=limits["backend"], autoscaling=scaling
            ),
            build_service("monitoring", resources=limits["monitoring"], volumes=kept),
        ],
        [
            {**build_datastore("postgres"), "resources": limits["postgres"]},
            {**build_datastore("redis", "Redis"), "resources": limits["redis"]},
        ],
        volumes=[{"name": "metrics", "size": "1Gi", "accessMode": "ReadWriteOnce"}],
    )


@pytest.mark.acceptance("C26", "C68", "C69", "C70", "C72")
def test_a_production_stack_has_its_limits_storage_and_ways_to_grow(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, _build_production())
    for name, (cpu, memory) in LIMITS.items():
        assert _container(namespace, name)["resources"]["limits"] == {"cpu": cpu, "memory": memory}
    claims = {name: _claims(namespace, name) for name in LIMITS}
    assert [len(claims[name]) for name in LIMITS] == [0, 0, 1, 1, 1]

    # Frontend and backend grow in number, and only they have an autoscaler.
    autoscalers = namespace.names("horizontalpodautoscalers")
    assert autoscalers == {"production-frontend", "production-backend"}
    for name in ("frontend", "backend"):
        _scale(namespace, f"production-{name}", 3)
        eventually(lambda name=name: len(_pods(namespace, name)) == 3)  # type: ignore[misc]
    assert len(_pods(namespace, "monitoring")) == 1

    # The database grows in size, on the volume that it has.
    before = _pods(namespace, "postgres")[0]["metadata"]["uid"]
    namespace.apply("tradingsystems", _build_production(postgres_memory="4Gi"))
    eventually(lambda: namespace.is_ready("production") and _memory(namespace) == "4Gi", 60)
    (pod,) = _pods(namespace, "postgres")
    assert pod["metadata"]["uid"] != before
    assert _claims(namespace, "postgres") == claims["postgres"]
    assert len(_pods(namespace, "frontend")) == 3


def _memory(namespace: Namespace) -> str:
    pods = _pods(namespace, "postgres")
    containers = pods[0]["spec"]["containers"] if pods else [{"resources": {"limits": {}}}]
    return str(containers[0]["resources"]["limits"].get("memory"))


NEEDS = {
    "questdb": (),
    "zookeeper": (),
    "kafka": ("zookeeper",),
    "prometheus": (),
    "grafana": ("prometheus", "questdb"),
    "app": ("questdb", "redis", "kafka"),
}


def _build_research(**tags: str) -> Spec:
    services = [
        build_service(name, *needs, tag=tags.get(name, "1")) for name, needs in NEEDS.items()
    ]
    return build_system("research", services, [build_datastore("redis", "Redis")])


@pytest.mark.acceptance("D58", "D59", "D60", "D61")
def test_seven_programs_start_after_what_they_need_and_are_started_again(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    stuck = {"zookeeper": "pretend-unready", "prometheus": "pretend-unready"}
    namespace.apply("tradingsystems", _build_research(**stuck))
    eventually(lambda: all(_is_running(namespace, name) for name in ("questdb", "redis")))
    # What waits for the two that are not ready is not there, and neither is what waits for it.
    components = {name for name in (*NEEDS, "redis") if _pods(namespace, name)}
    assert components == {"questdb", "redis", "zookeeper", "prometheus"}

    namespace.apply("tradingsystems", _build_research())
    eventually(lambda: namespace.is_ready("research"), GRACE_SECONDS)
    for name, needs in NEEDS.items():
        for need in needs:
            assert _ready_since(namespace, need) <= _made(namespace, name), f"{name} after {need}"
    policies = {name: _pods(namespace, name)[0]["spec"]["restartPolicy"] for name in NEEDS}
    assert policies == dict.fromkeys(NEEDS, "Always")
    assert _pods(namespace, "redis")[0]["spec"]["restartPolicy"] == "Always"


def _is_running(namespace: Namespace, component: str) -> bool:
    return any(_ready(pod) for pod in _pods(namespace, component))


def _ready(pod: Any) -> Any:
    conditions = pod.get("status", {}).get("conditions", ())
    ready = (c for c in conditions if c["type"] == "Ready" and c["status"] == "True")
    return next(ready, None)


def _ready_since(namespace: Namespace, component: str) -> datetime:
    moments = [_ready(pod)["lastTransitionTime"] for pod in _pods(namespace, component)]
    return max(map(datetime.fromisoformat, moments))


def _made(namespace: Namespace, component: str) -> datetime:
    moments = [pod["metadata"]["creationTimestamp"] for pod in _pods(namespace, component)]
    return min(map(datetime.fromisoformat, moments))


def _build_desk(mode: str, strategy: str = "1.0") -> Spec:
    """Build the two roles; everything that differs between environments is a setting."""
    env = [
        {"name": "LOG_LEVEL", "value": {"Paper": "DEBUG", "Live": "INFO"}[mode]},
        {"name": "DB_PASSWORD", "secretKeyRef": {"name": f"desk-{mode.lower()}", "key": "db"}},
    ]
    roles = {"strategy-runner": strategy, "feature-api": "1.0"}
    services = [build_service(name, tag=tag, env=env) for name, tag in roles.items()]
    return build_system(f"desk-{mode.lower()}", services, mode=mode)


@pytest.mark.acceptance("E73")
def test_each_role_has_an_image_and_a_version_of_its_own(
    namespace: Namespace, operators: Operators
) -> None:
    _make_secret(namespace, "desk-paper", "one")
    _start(namespace, operators, _build_desk("Paper"))
    (before,) = _pods(namespace, "feature-api")
    namespace.apply("tradingsystems", _build_desk("Paper", strategy="1.1"))
    wanted = "registry.example/strategy-runner:1.1"
    eventually(
        lambda: (
            namespace.is_ready("desk-paper")
            and [p["spec"]["containers"][0]["image"] for p in _pods(namespace, "strategy-runner")]
            == [wanted]
        ),
        60,
    )
    (after,) = _pods(namespace, "feature-api")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["containers"][0]["image"] == "registry.example/feature-api:1.0"


@pytest.mark.acceptance("E74")
def test_two_environments_run_the_same_images_by_settings_alone(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    for mode in ("Paper", "Live"):
        _make_secret(namespace, f"desk-{mode.lower()}", f"password-of-{mode}")
        namespace.apply("tradingsystems", _build_desk(mode))
    eventually(lambda: namespace.is_ready("desk-paper") and namespace.is_ready("desk-live"), 60)
    paper, live = (_pod_of(namespace, name) for name in ("desk-paper", "desk-live"))
    for one, other in zip(paper["containers"], live["containers"], strict=True):
        assert (one["image"], one.get("command")) == (other["image"], other.get("command"))
    assert _environment(paper)["LOG_LEVEL"] == "DEBUG"
    assert _environment(live)["LOG_LEVEL"] == "INFO"
    for spec, name in ((paper, "desk-paper"), (live, "desk-live")):
        assert "password-of" not in str(spec)
        assert name in _secrets(spec)


def _make_secret(namespace: Namespace, name: str, value: str) -> None:
    namespace.create("secrets", {"metadata": {"name": name}, "stringData": {"db": value}})


def _pod_of(namespace: Namespace, system: str) -> Any:
    selector = f"app.kubernetes.io/part-of={system},app.kubernetes.io/component=strategy-runner"
    (pod,) = namespace.list("pods", selector)
    return pod["spec"]


def _environment(spec: Any) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in spec["containers"][0]["env"]}


def _secrets(spec: Any) -> set[str]:
    projected = (s for v in spec["volumes"] for s in v.get("projected", {}).get("sources", ()))
    named = {each["secret"]["name"] for each in projected if "secret" in each}
    return named | {v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v}


def _build_integrated() -> Spec:
    volumes = [{"name": "models", "size": "1Gi"}]
    mounts = [{"name": "models", "mountPath": "/app/models"}]
    services = [
        build_service("redpanda"),
        build_service("market-data", "redpanda", "db"),
        build_service("risk", "redpanda"),
        build_service("backend", "db", "redpanda", "risk", volumes=mounts),
    ]
    stores = [build_datastore("db", "TimescaleDB")]
    return build_system("integrated", services, stores, volumes=volumes)


@pytest.mark.acceptance("C82")
def test_a_backend_beside_market_data_a_broker_and_risk_gets_models_of_its_own_program(
    namespace: Namespace, operators: Operators
) -> None:
    _start(namespace, operators, _build_integrated())
    program: Spec = {"image": RUNS_ON, "command": ["/app/fit", "--fast"]}
    model = {"type": "volatility", "timeframe": "1h"}
    promotion = {"service": "backend", "mode": "Auto"}
    dataset = {"source": "db", "symbols": ["BTC-USD"]}
    training = build_training(
        system="integrated", model=model, dataset=dataset, promotion=promotion, **program
    )
    namespace.create("modeltrainingjobs", training)
    end_training(namespace, "daily-1-1", trained("own-1"))
    eventually(lambda: phase(namespace) == "Succeeded")
    told = namespace.list("pods", "batch.kubernetes.io/job-name=daily-1-1")[0]["spec"]
    main = told["containers"][0]
    assert (main["image"], main["command"]) == (RUNS_ON, ["/app/fit", "--fast"])
    (read,) = eventually(lambda: _models(namespace))
    assert (read["type"], read["timeframe"], read["id"]) == ("volatility", "1h", "own-1")


def _models(namespace: Namespace) -> list[Spec]:
    """Return what the backend is told to load."""
    file = namespace.get("configmaps", "integrated-trading-state") or {}
    text = (file.get("data") or {}).get("backend.models.json", '{"models": []}')
    return list(json.loads(text)["models"])
