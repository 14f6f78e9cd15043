"""Data come back as they were, in order, and no order goes until a person says so."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.small_system import build_datastore, build_service, build_system
from e2e.test_backups import (
    EVERY_MINUTE,
    run_now,
    status_of,
    wait_for_drill,
    wait_for_set,
)
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

SYSTEM = "desk"
# It writes for as long as it runs, into everything that is backed up.
WRITE = """import os, socket, time, psycopg2
def text(name): return open(os.environ[name]).read().strip()
db = psycopg2.connect(host=os.environ["DB_HOST"], user=os.environ["DB_USER"],
    dbname=os.environ["DB_DATABASE"], password=text("DB_PASSWORD_FILE"))
db.autocommit = True
rows = db.cursor()
rows.execute("CREATE TABLE IF NOT EXISTS orders (id bigserial PRIMARY KEY, at date, p numeric)")
cache = socket.create_connection((os.environ["CACHE_HOST"], int(os.environ["CACHE_PORT"])))
cache.sendall(f"AUTH {text('CACHE_PASSWORD_FILE')}\\r\\n".encode())
import http.server, threading
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
number = 0
while True:
    number += 1
    rows.execute("INSERT INTO orders (at, p) SELECT now(), random() FROM generate_series(1, 50)")
    cache.sendall(f"SET order:{number} {time.time()}\\r\\n".encode()); cache.recv(4096)
    open(f"/models/model-{number % 20}", "w").write(str(number) * 100)
    time.sleep(0.2)
"""
PRINT_STATE = 'cat "$TRADING_STATE_FILE"'
DIGEST = "SELECT count(*), md5(string_agg(o::text, '|' ORDER BY id)) FROM orders o WHERE id <= {}"
SECONDS = 240.0


def build_desk() -> dict[str, Any]:
    """Build a system whose only service writes into a database, a cache and a volume."""
    writer = build_service(
        "writer",
        command=["python3", "-c", WRITE],
        workload="SingleWriter",
        dependsOn=[{"name": "db"}, {"name": "cache"}],
        volumes=[{"name": "models", "mountPath": "/models"}],
        terminationGracePeriod="2s",
    )
    return build_system(
        SYSTEM,
        services=[writer],
        volumes=[{"name": "models", "size": "1Gi"}],
        datastores=[
            build_datastore("db", "PostgreSQL", parameters={"summarize_wal": "on"}),
            build_datastore("cache", "Redis"),
        ],
    )


def build_backup(name: str, **spec: Any) -> dict[str, Any]:
    """Build a Backup of that system onto a volume."""
    usual = {"system": SYSTEM, "destination": {"volume": {"size": "1Gi"}}}
    return {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "Backup",
        "metadata": {"name": name},
        "spec": {**usual, "verify": {"rowHashes": True}, **spec},
    }


@pytest.fixture(scope="module")
def desk(trading: TradingCluster) -> Iterator[str]:
    """The namespace of the system, which is Ready and writes."""
    with trading.namespace("restore") as namespace:
        trading.apply(namespace, build_desk())
        trading.wait_proven(namespace, SYSTEM, timeout=150)
        eventually(lambda: count(trading, namespace) > 500, "rows are written", 60)
        yield namespace


def ask(trading: TradingCluster, namespace: str, query: str) -> list[str]:
    """Return the first row of a query."""
    return trading.sql(namespace, f"{SYSTEM}-db-0", query)[0]


def count(trading: TradingCluster, namespace: str) -> int:
    """Return how many orders there are."""
    return int(ask(trading, namespace, "SELECT count(*) FROM orders")[0])


def ask_cache(trading: TradingCluster, namespace: str, command: str) -> str:
    """Return what the cache answers."""
    script = f'redis-cli --no-auth-warning -a "$(cat /run/secrets/*/password)" {command}'
    place = ("exec", "-n", namespace, f"{SYSTEM}-cache-0", "--")
    return trading.kubectl(*place, "sh", "-c", script).strip()


def run_in_writer(trading: TradingCluster, namespace: str, script: str) -> str:
    """Return what a command prints where the volume is mounted."""
    place = ("exec", "-n", namespace, f"{SYSTEM}-writer-0", "--")
    return trading.kubectl(*place, "sh", "-c", script).strip()


def write_marks(trading: TradingCluster, namespace: str) -> None:
    """Write into the cache and the volume what a set is to bring back."""
    ask_cache(trading, namespace, "SET known before")
    run_in_writer(trading, namespace, "echo before > /models/known")


def lose_marks(trading: TradingCluster, namespace: str) -> None:
    """Lose them, and leave a file that no set knows."""
    ask_cache(trading, namespace, "FLUSHALL")
    run_in_writer(trading, namespace, "rm /models/known; echo after > /models/stranger")


def check_marks(trading: TradingCluster, namespace: str) -> None:
    """Fail unless cache and volume are what they were."""
    assert ask_cache(trading, namespace, "GET known") == "before"
    assert run_in_writer(trading, namespace, "cat /models/known") == "before"
    assert "stranger" not in run_in_writer(trading, namespace, "ls /models")


def phase(trading: TradingCluster, namespace: str, name: str) -> str:
    """Return the phase of a Restore, which must not be Failed."""
    status = trading.tools.get("restore", name, "-n", namespace).get("status") or {}
    assert status.get("phase") != "Failed", status["message"]
    return str(status.get("phase", ""))


def trading_state(trading: TradingCluster, namespace: str) -> str:
    """Return which orders the writer is told that it may send."""
    place = ("exec", "-n", namespace, f"{SYSTEM}-writer-0", "--")
    return trading.kubectl(*place, "sh", "-c", PRINT_STATE).strip()


@pytest.mark.acceptance("D73", "D74", "E71")
def test_lost_data_come_back_as_they_were_and_orders_wait_for_a_person(
    trading: TradingCluster, desk: str
) -> None:
    write_marks(trading, desk)
    trading.apply(desk, build_backup("nightly"))
    made = wait_for_set(trading, desk)
    lose_marks(trading, desk)
    highest = count(trading, desk)
    known = ask(trading, desk, DIGEST.format(400))
    trading.sql(desk, f"{SYSTEM}-db-0", "DELETE FROM orders WHERE id <= 400")
    restore = {
        "apiVersion": "tradingoperator.io/v1alpha1",
        "kind": "Restore",
        "metadata": {"name": "back"},
        "spec": {"backup": "nightly", "set": made, "mode": "InPlace", "confirm": SYSTEM},
    }
    trading.apply(desk, restore)
    eventually(lambda: phase(trading, desk, "back") == "Succeeded", "the data are back", SECONDS)
    trading.wait_ready(desk, SYSTEM, timeout=150)
    assert ask(trading, desk, DIGEST.format(400)) == known
    status = trading.tools.get("restore", "back", "-n", desk)["status"]
    assert status["set"] == made
    assert {each["target"] for each in status["comparison"]} == {"db", "cache", "models"}
    assert all(each["equal"] for each in status["comparison"])
    check_marks(trading, desk)
    # What it was before is still there twice over: in the safety backup, and as a closed database.
    assert len(status_of(trading, desk)["lastSets"]) == 2
    names = trading.sql(desk, f"{SYSTEM}-db-0", "SELECT datname FROM pg_database ORDER BY 1")
    assert ["trading_replaced"] in names
    # The same manifest once more changes nothing.
    before = trading.tools.get("restore", "back", "-n", desk)["metadata"]["resourceVersion"]
    trading.apply(desk, restore)
    after = trading.tools.get("restore", "back", "-n", desk)["metadata"]["resourceVersion"]
    assert after == before

    assert trading_state(trading, desk) == "Halted"
    assert trading.system(desk, SYSTEM)["status"]["haltedBy"] == "back"
    command = "tradingoperator.io/resume-trading=back"
    trading.kubectl("annotate", "tradingsystem", SYSTEM, "-n", desk, command)
    eventually(lambda: trading_state(trading, desk) == "Active", "orders may go", 60)
    eventually(lambda: count(trading, desk) > highest, "the writer writes on", 60)


@pytest.mark.acceptance("C63", "C64", "C66")
def test_an_increment_is_proven_with_what_it_stands_on_while_the_database_is_written(
    trading: TradingCluster, desk: str
) -> None:
    trading.kubectl("wait", "--for=condition=Ready", "tradingsystem", SYSTEM, "-n", desk)
    schedule = {"full": "0 0 1 1 *", "incremental": EVERY_MINUTE}
    targets = [{"name": "db", "method": "Physical"}]
    spec = {"schedule": schedule, "targets": targets, "retention": {"days": 30}}
    trading.apply(desk, build_backup("chain", **spec))
    run_now(trading, desk, "chain")

    def increments() -> list[dict[str, Any]]:
        status = status_of(trading, desk, "chain")
        assert (status.get("lastRun") or {}).get("outcome") != "Failed", status["lastRun"]
        return [each for each in status.get("lastSets") or () if each["kind"] == "Incremental"]

    eventually(increments, "an increment", 180)
    full = [e for e in status_of(trading, desk, "chain")["lastSets"] if e["kind"] == "Full"]
    assert increments()[0]["bytes"] < full[-1]["bytes"]
    verify = {"rowHashes": True, "restoreDrill": EVERY_MINUTE}
    patch = {"spec": {"verify": verify, "schedule": {"incremental": None}}}
    merge = ("--type=merge", f"--patch={json.dumps(patch)}")
    trading.kubectl("patch", "backup", "chain", "-n", desk, *merge)
    proven = wait_for_drill(trading, desk, "chain")
    kinds = {each["id"]: each["kind"] for each in status_of(trading, desk, "chain")["lastSets"]}
    assert kinds[proven["set"]] == "Incremental"
