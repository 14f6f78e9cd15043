"""Bad input is refused or reported with the field and the mend, and harms nothing that runs."""

import pytest

from demo.kubectl import CommandError
from e2e.small_system import build_datastore, build_service, build_system
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

SECRET_ENV = [{"name": "KEY", "secretKeyRef": {"name": "broker", "key": "key"}}]


def reported(trading: TradingCluster, namespace: str, component: str, *words: str) -> None:
    """Wait until the component's status line says all the words."""
    eventually(
        lambda: all(
            word in trading.component(namespace, "bad", component).get("message", "")
            for word in words
        ),
        f"{component} says {words}",
        60,
    )


def test_a_missing_secret_is_named_and_its_arrival_mends_it(
    trading: TradingCluster, namespace: str
) -> None:
    trading.apply(namespace, build_system("bad", services=[build_service("app", env=SECRET_ENV)]))
    reported(trading, namespace, "app", "broker")
    assert trading.condition(namespace, "bad", "Ready")["status"] == "False"
    trading.kubectl(
        "create", "secret", "generic", "broker", "-n", namespace, "--from-literal=key=1"
    )
    trading.wait_ready(namespace, "bad", timeout=120)


def test_a_missing_storage_class_is_named(trading: TradingCluster, namespace: str) -> None:
    storage = {"size": "1Gi", "storageClassName": "no-such-class"}
    datastore = build_datastore("db", "PostgreSQL", storage=storage)
    trading.apply(namespace, build_system("bad", datastores=[datastore]))
    reported(trading, namespace, "db", "no-such-class")


def test_an_image_that_cannot_be_pulled_is_named(trading: TradingCluster, namespace: str) -> None:
    service = build_service("app", image="registry.invalid/nothing:1")
    trading.apply(namespace, build_system("bad", services=[service]))
    reported(trading, namespace, "app", "registry.invalid/nothing:1")


def test_a_program_that_fails_is_quoted(trading: TradingCluster, namespace: str) -> None:
    command = ["sh", "-c", "echo no route to the exchange > /dev/termination-log; exit 3"]
    trading.apply(namespace, build_system("bad", services=[build_service("app", command=command)]))
    reported(trading, namespace, "app", "3", "no route to the exchange")


def test_a_cycle_is_stalled_with_its_path_and_what_runs_goes_on(
    trading: TradingCluster, namespace: str
) -> None:
    services = [build_service("a"), build_service("b", dependsOn=[{"name": "a"}])]
    trading.apply(namespace, build_system("bad", services=services))
    trading.wait_ready(namespace, "bad")
    before = trading.pod_identities(namespace)
    services[0]["dependsOn"] = [{"name": "b"}]
    trading.apply(namespace, build_system("bad", services=services))
    eventually(
        lambda: trading.condition(namespace, "bad", "Stalled").get("status") == "True",
        "Stalled",
        30,
    )
    message = trading.condition(namespace, "bad", "Stalled")["message"]
    assert "dependsOn" in message
    assert trading.pod_identities(namespace) == before


@pytest.mark.parametrize(
    ("service", "words"),
    [
        pytest.param({"dependsOn": [{"name": "ghost"}]}, ["dependsOn"], id="unknown dependency"),
        pytest.param({"image": ""}, ["image"], id="empty image"),
        pytest.param({"replicas": -1}, ["replicas"], id="negative replicas"),
        pytest.param({"configs": [{"name": "x", "mountPath": "/x"}]}, ["configs"], id="no config"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_at_once(
    trading: TradingCluster, namespace: str, service: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(CommandError) as refusal:
        trading.apply(namespace, build_system("bad", services=[build_service("app", **service)]))
    assert all(word in str(refusal.value) for word in words)
