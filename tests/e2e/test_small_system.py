"""PostgreSQL and Redis serve their dependants; deletion keeps what holds data."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.small_system import build_datastore, build_service, build_system
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

ASK_POSTGRESQL = """
import os, psycopg2
connection = psycopg2.connect(
    host=os.environ["DB_HOST"], port=os.environ["DB_PORT"], user=os.environ["DB_USER"],
    dbname=os.environ["DB_DATABASE"], password=open(os.environ["DB_PASSWORD_FILE"]).read().strip())
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
cursor.execute("INSERT INTO kept VALUES (1)")
cursor.execute("SELECT count(*), current_setting('work_mem') FROM kept")
print(*cursor.fetchone())
"""
ASK_REDIS = """
import os, socket
password = open(os.environ["CACHE_PASSWORD_FILE"]).read().strip()
link = socket.create_connection((os.environ["CACHE_HOST"], int(os.environ["CACHE_PORT"])), 5)
link.sendall(b"PING\\r\\n")
print(link.recv(100).decode().strip())
link.sendall(f"AUTH {password}\\r\\nPING\\r\\nCONFIG GET maxmemory-policy\\r\\n".encode())
answer = b""
while b"noeviction" not in answer:
    answer += link.recv(1000)
print(answer.decode().split()[:2])
"""


@dataclass(frozen=True)
class Small:
    """A small system that is Ready."""

    namespace: str
    pod: str  # of its service


def small_spec() -> dict[str, object]:
    """Build a system with both engines, a Secret of the user's own and an absent optional one."""
    return {
        "env": [
            {"name": "BROKER_KEY", "secretKeyRef": {"name": "broker", "key": "key"}},
            {
                "name": "BROKER_ID",
                "secretKeyRef": {"name": "broker", "key": "id"},
                "expose": "Variable",
            },
        ],
        "datastores": [
            build_datastore("db", "PostgreSQL", parameters={"work_mem": "8MB"}),
            build_datastore("cache", "Redis", parameters={"maxmemory-policy": "noeviction"}),
        ],
        "services": [build_service("app", dependsOn=[{"name": "db"}, {"name": "cache"}])],
    }


@pytest.fixture(scope="module")
def small(trading: TradingCluster) -> Iterator[Small]:
    """The small system, Ready."""
    with trading.namespace("small") as namespace:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "broker"},
            "stringData": {"key": "k-123", "id": "paper-7"},
        }
        trading.apply(namespace, secret, build_system("small", **small_spec()))
        trading.wait_ready(namespace, "small", timeout=150)
        yield Small(namespace, trading.pods(namespace, "app")[0]["metadata"]["name"])


def run_python(trading: TradingCluster, small: Small, program: str) -> str:
    """Run a program in the service's pod."""
    return trading.kubectl("exec", "-n", small.namespace, small.pod, "--", "python3", "-c", program)


@pytest.mark.acceptance("A36", "A37")
def test_a_dependant_reaches_postgresql_with_what_it_was_handed(
    trading: TradingCluster, small: Small
) -> None:
    assert run_python(trading, small, ASK_POSTGRESQL).split()[-1] == "8MB"


def test_redis_refuses_without_the_password_and_answers_with_it(
    trading: TradingCluster, small: Small
) -> None:
    refused, answered = run_python(trading, small, ASK_REDIS).splitlines()
    assert refused.startswith("-NOAUTH")
    assert answered == "['+OK', '+PONG']"


@pytest.mark.acceptance("A79")
def test_secrets_arrive_as_files_unless_a_variable_is_asked_for(
    trading: TradingCluster, small: Small
) -> None:
    program = (
        "import os; print(open(os.environ['BROKER_KEY_FILE']).read(), os.environ['BROKER_ID'], "
        "'BROKER_KEY' in os.environ)"
    )
    assert run_python(trading, small, program).split() == ["k-123", "paper-7", "False"]


@pytest.mark.acceptance("A79")
def test_no_password_shows_in_the_objects_the_status_or_the_logs(
    trading: TradingCluster, small: Small
) -> None:
    secrets = trading.tools.get("secrets", "-n", small.namespace)["items"]
    values = {value for s in secrets for value in s["data"].values()}
    passwords = {s["data"]["password"] for s in secrets if "password" in s["data"]}
    assert len(passwords) == 2
    kinds = "pods,statefulsets,deployments,configmaps,tradingsystems,events"
    text = trading.kubectl("get", kinds, "-n", small.namespace, "-o", "json")
    for pod in trading.pods("trading-operator"):
        text += trading.kubectl("logs", "-n", "trading-operator", pod["metadata"]["name"])
    text += trading.kubectl("logs", "-n", small.namespace, "small-db-0")
    for encoded in passwords:
        assert encoded in values
        assert base64.b64decode(encoded).decode() not in text


@pytest.mark.acceptance("A06")
def test_a_change_of_one_service_rolls_only_that_service(
    trading: TradingCluster, small: Small
) -> None:
    before = trading.pod_identities(small.namespace)
    spec = small_spec()
    spec["services"] = [
        build_service(
            "app",
            dependsOn=[{"name": "db"}, {"name": "cache"}],
            env=[{"name": "LOG_LEVEL", "value": "DEBUG"}],
        )
    ]
    trading.apply(small.namespace, build_system("small", **spec))
    eventually(
        lambda: small.pod not in trading.pod_identities(small.namespace), "the old pod gone", 90
    )
    trading.wait_ready(small.namespace, "small")
    after = trading.pod_identities(small.namespace)
    for name in ("small-db-0", "small-cache-0"):
        assert after[name] == before[name]


def test_deletion_keeps_volumes_and_their_password_and_a_new_system_finds_its_data(
    trading: TradingCluster, small: Small
) -> None:
    rows = trading.sql(small.namespace, "small-db-0", "SELECT count(*) FROM kept")
    trading.kubectl("delete", "tradingsystem", "small", "-n", small.namespace, "--timeout=60s")
    eventually(lambda: trading.pods(small.namespace) == [], "all pods gone", 90)
    left = trading.kubectl("get", "pvc,secret", "-n", small.namespace, "-o", "name").split()
    assert "persistentvolumeclaim/data-small-db-0" in left
    assert "secret/small-db-credentials" in left
    for kind in ("services", "configmaps", "statefulsets", "deployments", "networkpolicies"):
        found = trading.tools.get(kind, "-n", small.namespace)["items"]
        names = {item["metadata"]["name"] for item in found} - {"kube-root-ca.crt"}
        assert names == set(), kind
    trading.apply(small.namespace, build_system("small", **small_spec()))
    trading.wait_ready(small.namespace, "small", timeout=120)
    assert trading.sql(small.namespace, "small-db-0", "SELECT count(*) FROM kept") == rows
    pod = trading.pods(small.namespace, "app")[0]["metadata"]["name"]
    assert run_python(trading, Small(small.namespace, pod), ASK_POSTGRESQL).endswith("8MB\n")


@pytest.mark.acceptance("X26")
def test_an_optional_dependency_is_waited_for_only_so_long(
    trading: TradingCluster, namespace: str
) -> None:
    """Trap X26: what the document calls optional does not hold the dependant back."""
    absent = build_service("absent", image="registry.invalid/absent:1")
    app = build_service("app", dependsOn=[{"name": "absent", "required": False, "timeout": "3s"}])
    trading.apply(namespace, build_system("soft", services=[absent, app]))
    line = eventually(
        lambda: running_without_optional(trading, namespace),
        "app running without its optional dependency",
        60,
    )
    assert "absent" in line["message"]


def running_without_optional(trading: TradingCluster, namespace: str) -> dict[str, Any]:
    """Return app's status line once its pod is ready without `absent`, else an empty one."""
    line = trading.component(namespace, "soft", "app")
    there = line.get("ready") == 1 and line["reason"] == "WithoutOptionalDependency"
    return line if there else {}
