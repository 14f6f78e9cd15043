"""One cluster with the operator and the example, shared by the tier."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import ensure_up
from demo.kubectl import Tools
from demo.steps import NAMESPACE, SYSTEM, apply_system, install_operator, prepare_cluster
from e2e.audit import AuditLog
from e2e.start_record import StartRecord, StartRecorder
from e2e.trading_cluster import TradingCluster


@pytest.fixture(scope="session")
def prepared() -> tuple[Tools, list[Path]]:
    """A real node and the images that it has."""
    return prepare_cluster("embedded")


@pytest.fixture(scope="session")
def trading(prepared: tuple[Tools, list[Path]]) -> TradingCluster:
    """A real node with the operator installed by its chart."""
    tools, layouts = prepared
    install_operator(tools, layouts)
    return TradingCluster(tools, AuditLog(ensure_up("node", "embedded").audit_log))


@pytest.fixture
def reinstalled(trading: TradingCluster, prepared: tuple[Tools, list[Path]]) -> Iterator[None]:
    """Installs the operator again after a test that removes it."""
    yield
    install_operator(trading.tools, prepared[1])


@pytest.fixture(scope="session")
def started(trading: TradingCluster) -> StartRecord:
    """The example of examples/autonomous brought up from nothing, and how it came up."""
    trading.delete_namespace(NAMESPACE)
    trading.kubectl("wait", "--for=delete", f"namespace/{NAMESPACE}", "--timeout=120s")
    with StartRecorder(trading, NAMESPACE) as recorder:
        apply_system(trading.tools)
        trading.wait_ready(NAMESPACE, SYSTEM, timeout=300)
    return recorder.record


@pytest.fixture(scope="session")
def example(started: StartRecord) -> str:
    """The namespace of the example, which was Ready once."""
    assert started.ready
    return NAMESPACE


@pytest.fixture
def namespace(trading: TradingCluster) -> Iterator[str]:
    """A namespace of its own that admits only pods of the restricted profile."""
    with trading.namespace("e2e") as name:
        yield name
