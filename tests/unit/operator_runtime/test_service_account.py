"""A pod's service account is read without the official client, and its token again and again."""

import subprocess
import sys
from pathlib import Path

import pytest

from trading_operator.kube import service_account
from trading_operator.kube.connection import Connection
from trading_operator.kube.resources import PODS
from trading_operator.kube.service_account import ServiceAccount, find_service_account
from trading_operator.kube.transport import Call, Transport
from trading_operator.metrics import Metrics
from unit.operator_runtime.scripted_server import ScriptedServer, answer_json

IMPORTS = """
import sys, trading_operator.main
print("kubernetes" in sys.modules)
import kubernetes.aio.config
print("kubernetes" in sys.modules)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a kubelet mounts, and the variables that it sets."""
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("an authority")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return tmp_path


async def test_a_replaced_token_is_sent_after_a_minute_at_most(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(service_account, "read_monotonic", lambda: now)
    server = ScriptedServer(answer_json({}))
    async with server.running():
        connection = Connection(server.url, ServiceAccount(folder), False)
        transport = Transport(connection, Metrics(), 1)
        for written in ("second", "", "third"):
            await transport.send(Call("get", PODS, "ns", "pod"))
            (folder / "token").write_text(written)
            await transport.send(Call("get", PODS, "ns", "pod"))
            now += 60.0
        await transport.close()
    sent = [headers["Authorization"].removeprefix("Bearer ") for headers in server.headers]
    assert sent == ["first", "first", "second", "second", "second", "second"]


def test_the_server_is_the_one_that_the_kubelet_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_service_account(folder)
    assert found is not None
    assert found[0] == "https://10.96.0.1:443"
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    found = find_service_account(folder)
    assert found is not None
    assert found[0] == "https://[fd00::1]:443"


@pytest.mark.parametrize("lacks", ["token", "ca.crt", "KUBERNETES_SERVICE_HOST"])
def test_outside_of_a_cluster_there_is_no_account(
    lacks: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(lacks, raising=False)
    (folder / lacks).unlink(missing_ok=True)
    assert find_service_account(folder) is None


def test_the_official_client_is_imported_by_nobody_but_may_be() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "True"]
