"""An uninstall of the operator leaves systems that run, and nothing that waits for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.api import ClusterHandle
from integration.kube_client import COLLECTED_SECONDS, Namespace, eventually
from integration.operator_process import (
    ACCOUNT,
    ROOT,
    Operators,
    grant_hook_rights,
    write_kubeconfig,
)
from integration.systems import build_chain

HOOK_ACCOUNT = f"{ACCOUNT}-uninstall"
FINALIZER = "tradingoperator.io/ordered-stop"


@pytest.fixture(autouse=True)
def _hook_rights(control_plane: ClusterHandle, namespace: Namespace) -> None:
    grant_hook_rights(namespace, control_plane.bin_dir / "helm")


def test_after_the_hook_no_system_waits_for_the_operator(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    operators.start_leading()
    for name in ("chain", "second"):
        system = build_chain()
        system["metadata"]["name"] = name
        namespace.create("tradingsystems", system)
    eventually(lambda: namespace.is_ready("chain") and namespace.is_ready("second"), 60)
    assert _finalizers(namespace, "chain") == [FINALIZER]
    theirs = {"metadata": {"finalizers": [FINALIZER, "test.example/theirs"]}}
    namespace.merge("tradingsystems", "second", theirs)
    # Killed, it leaves a Lease that says it leads: the hook waits until that is surely over.
    operators.running[-1].kill()
    done = _run_hook(namespace, tmp_path)
    assert done.returncode == 0, done.stdout
    assert _finalizers(namespace, "chain") == []
    assert _finalizers(namespace, "second") == ["test.example/theirs"]
    assert namespace.get("pods", "chain-strategy-0")["status"]["phase"] == "Running"

    namespace.delete("tradingsystems", "chain")
    eventually(lambda: namespace.get("tradingsystems", "chain") is None, 10)
    eventually(lambda: not _pods_of(namespace, "chain"), COLLECTED_SECONDS)
    assert "data-chain-db-0" in namespace.names("persistentvolumeclaims")


def test_the_hook_waits_for_an_operator_that_still_leads(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: _finalizers(namespace, "chain") == [FINALIZER])
    hook = _start_hook(namespace, tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        hook.wait(timeout=8)
    assert _finalizers(namespace, "chain") == [FINALIZER]
    assert operators.running[-1].stop() == 0
    hook.communicate(timeout=20)
    assert hook.returncode == 0
    assert _finalizers(namespace, "chain") == []


def test_a_namespace_that_it_may_not_read_is_told_and_the_others_are_released(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: _finalizers(namespace, "chain") == [FINALIZER])
    operators.running[-1].stop()
    done = _run_hook(namespace, tmp_path, watched=f"gone-{namespace.name},{namespace.name}")
    assert done.returncode == 0, done.stdout
    (told,) = [line for line in done.stdout.splitlines() if '"warning"' in line]
    assert json.loads(told)["namespace"] == f"gone-{namespace.name}"
    assert _finalizers(namespace, "chain") == []


def test_the_hook_has_no_right_but_those_that_it_needs(
    namespace: Namespace, operators: Operators, tmp_path: Path
) -> None:
    operators.start_leading()
    namespace.create("tradingsystems", build_chain())
    eventually(lambda: _finalizers(namespace, "chain") == [FINALIZER])
    operators.running[-1].stop()
    namespace.delete("roles", f"{namespace.name}-{ACCOUNT}-uninstall-systems")
    done = _run_hook(namespace, tmp_path)
    assert done.returncode == 0
    assert "Forbidden" in done.stdout
    assert _finalizers(namespace, "chain") == [FINALIZER]

    namespace.delete("roles", f"{ACCOUNT}-uninstall")
    done = _run_hook(namespace, tmp_path)
    assert done.returncode == 1
    assert "deployments.apps" in done.stdout


def _run_hook(
    namespace: Namespace, folder: Path, watched: str = ""
) -> "subprocess.CompletedProcess[str]":
    hook = _start_hook(namespace, folder, watched)
    output, _ = hook.communicate(timeout=60)
    return subprocess.CompletedProcess(hook.args, hook.returncode, output)


def _start_hook(namespace: Namespace, folder: Path, watched: str = "") -> "subprocess.Popen[str]":
    kubeconfig = write_kubeconfig(namespace, folder / "hook.kubeconfig", account=HOOK_ACCOUNT)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "operator"),
        "KUBECONFIG": str(kubeconfig),
        "TRADING_OPERATOR_NAMESPACE": namespace.name,
        "TRADING_OPERATOR_WATCH_NAMESPACES": watched or namespace.name,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "trading_operator.release_finalizers"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finalizers(namespace: Namespace, name: str) -> list[str]:
    system = namespace.get("tradingsystems", name)
    return list(system["metadata"].get("finalizers") or ())


def _pods_of(namespace: Namespace, system: str) -> set[str]:
    return namespace.names("pods", f"app.kubernetes.io/part-of={system}")
