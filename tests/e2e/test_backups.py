"""Backups of the example while it trades: proven by restoring them into throw-away databases."""

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from demo.steps import ROOT, SYSTEM
from e2e.trading_cluster import TradingCluster
from e2e.waiting import eventually

FILE = ROOT / "examples" / "backup" / "backup.yaml"
RUN_SECONDS = 180.0
EVERY_MINUTE = "* * * * *"


def run_now(trading: TradingCluster, namespace: str, name: str, word: str = "1") -> None:
    """Ask for a backup now."""
    command = f"tradingoperator.io/run-now={word}"
    trading.kubectl("annotate", "--overwrite", "backup", name, "-n", namespace, command)


def status_of(trading: TradingCluster, namespace: str, name: str = "nightly") -> dict[str, Any]:
    """Return what a Backup says."""
    found: dict[str, Any] = trading.tools.get("backup", name, "-n", namespace).get("status") or {}
    return found


def wait_for_set(trading: TradingCluster, namespace: str, name: str = "nightly") -> str:
    """Wait until a Backup has a verified set, and return its id."""

    def look() -> str:
        status = status_of(trading, namespace, name)
        run = status.get("lastRun") or {}
        assert run.get("outcome") != "Failed", run
        return next((each["id"] for each in status.get("lastSets") or ()), "")

    return eventually(look, f"a set of {name}", RUN_SECONDS)


def drill_every_minute(trading: TradingCluster, namespace: str, name: str = "nightly") -> None:
    """Ask for drills, or for none any more with an empty schedule."""
    patch = {"spec": {"verify": {"restoreDrill": EVERY_MINUTE}}}
    merge = ("--type=merge", f"--patch={json.dumps(patch)}")
    trading.kubectl("patch", "backup", name, "-n", namespace, *merge)


def wait_for_drill(
    trading: TradingCluster, namespace: str, name: str = "nightly"
) -> dict[str, Any]:
    """Wait until a drill has ended, and return what it proved."""

    def look() -> dict[str, Any]:
        status = status_of(trading, namespace, name)
        drill = status.get("lastDrill") or {}
        told = f"{drill} {status.get('lastComparison')}"
        assert drill.get("outcome") != "Failed", told
        proven: dict[str, Any] = status.get("lastVerifiedRestore") or {}
        return proven

    return eventually(look, f"a drill of {name}", RUN_SECONDS)


@pytest.fixture(scope="module")
def nightly(trading: TradingCluster, example: str) -> Iterator[str]:
    """The example's own Backup, as its file says, in the example's namespace."""
    backup = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    backup["spec"]["destination"] = {"volume": {"size": "2Gi"}}
    trading.apply(example, copy.deepcopy(backup))
    yield example
    trading.kubectl("delete", "backup", "nightly", "-n", example, "--timeout=60s")
    trading.kubectl("delete", "pvc", "nightly-repository", "-n", example, "--wait=false")


def count_rows(trading: TradingCluster, namespace: str) -> int:
    """Return how many bars the database has."""
    query = "SELECT count(*) FROM stock_aggs"
    return int(trading.sql(namespace, f"{SYSTEM}-timescaledb-0", query)[0][0])


@pytest.mark.acceptance("A63", "A66", "C65", "C67", "X06", "X07")
def test_what_was_backed_up_while_it_traded_is_restored_and_is_the_same(
    trading: TradingCluster, nightly: str
) -> None:
    before = count_rows(trading, nightly)
    pods = trading.pod_identities(nightly)
    run_now(trading, nightly, "nightly")
    made = wait_for_set(trading, nightly)
    drill_every_minute(trading, nightly)
    proven = wait_for_drill(trading, nightly)
    assert proven["set"] == made
    assert proven["rtoSeconds"] > 0
    # Rows, newest times and hashes of the tables of the services, and the files of the volume.
    assert proven["compared"] > 30
    assert all(each["equal"] for each in proven["comparison"])
    assert count_rows(trading, nightly) > before
    after = trading.pod_identities(nightly)
    assert {name: after.get(name) for name in pods} == pods
    status = status_of(trading, nightly)
    conditions = {each["type"]: each["status"] for each in status["conditions"]}
    assert conditions["RestoreProven"] == "True"
    assert conditions["ObjectivesMet"] == "True"


def test_kubectl_tells_of_backups_in_one_line(trading: TradingCluster, nightly: str) -> None:
    wait_for_set(trading, nightly)
    header, line = trading.kubectl("get", "backups", "-n", nightly).splitlines()
    assert header.split() == ["NAME", "SYSTEM", "LASTSUCCESS", "SIZE", "VERIFIED", "NEXTRUN", "AGE"]
    assert "invalid" not in line
    assert line.split()[:2] == ["nightly", SYSTEM]


def test_no_password_is_in_the_objects_or_the_logs_of_a_backup(
    trading: TradingCluster, nightly: str
) -> None:
    wait_for_set(trading, nightly)
    secret = trading.tools.get("secret", "nightly-repository-password", "-n", nightly)
    encoded = secret["data"]["password"]
    password = base64.b64decode(encoded).decode()
    jobs = trading.tools.get("jobs", "-n", nightly)["items"]
    text = json.dumps(jobs) + trading.kubectl("get", "configmaps", "-n", nightly, "-o", "json")
    for job in jobs:
        place = f"job/{job['metadata']['name']}"
        text += trading.kubectl("logs", place, "-n", nightly, "--all-containers")
    assert "target dumped" in text
    assert encoded not in text
    assert password not in text
