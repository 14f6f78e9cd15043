"""The operator as a real process, with the rights that the chart gives it and no others."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import httpx
import yaml

from integration.audit import WRITES, AuditFollower
from integration.kube_client import Namespace, eventually

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "trading-operator"
ACCOUNT = "trading-operator"
# Longer than a status is held back.
QUIET_SECONDS = 2.5
SETTLE_SECONDS = 60.0
_RBAC = "apis/rbac.authorization.k8s.io/v1"
_DESCRIBED = (
    "tradingsystems",
    "backups",
    "restores",
    "modeltrainingjobs",
    "deployments",
    "statefulsets",
    "jobs",
    "pods",
)
_RIGHTS = {
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}
_CLUSTER_RIGHTS = {
    "ClusterRole": f"{_RBAC}/clusterroles",
    "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
}


@dataclass
class OperatorProcess:
    """One replica."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int

    def kill(self) -> None:
        """End it as the kernel ends a process that has no say in it."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as the kubelet does and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def get(self, path: str) -> httpx.Response:
        """Ask one of its endpoints."""
        return httpx.get(f"http://127.0.0.1:{self.port}/{path}", timeout=5)

    def is_leading(self) -> bool:
        """Tell whether this replica leads."""
        return "trading_operator_leader 1.0" in self.metrics()

    def leads_or_fails(self) -> bool:
        """Tell whether it leads; one that ended fails the test at once, with its last words."""
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        return self.is_leading()

    def is_ready(self) -> bool:
        """Tell whether its readiness endpoint says so."""
        try:
            return self.get("readyz").status_code == 200
        except httpx.TransportError:
            return False

    def lines(self) -> list[dict[str, Any]]:
        """Return its log; a line that is no JSON object fails the test."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def metrics(self) -> str:
        """Return its metrics, nothing when it does not answer."""
        try:
            return self.get("metrics").text
        except httpx.TransportError:
            return ""


@dataclass
class Operators:
    """Starts replicas that serve one namespace, and reads what they wrote."""

    namespace: Namespace
    kubeconfig: Path
    folder: Path
    audit_log: Path
    running: list[OperatorProcess] = field(default_factory=list)
    source: Path = ROOT / "operator"

    def __post_init__(self) -> None:
        """Follow the audit log from now on: the account is new, and the log is long."""
        self.audit = AuditFollower(self.audit_log, self.user)

    @property
    def user(self) -> str:
        """Return the name under which the API server knows the operator."""
        return f"system:serviceaccount:{self.namespace.name}:{ACCOUNT}"

    def start(self, kubeconfig: Path | None = None, **settings: str) -> OperatorProcess:
        """Start a replica and return at once."""
        log, port = self.folder / f"operator-{len(self.running)}.log", _free_port()
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.source),
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "TRADING_OPERATOR_NAMESPACE": self.namespace.name,
            "TRADING_OPERATOR_WATCH_NAMESPACES": self.namespace.name,
            "TRADING_OPERATOR_POD_NAME": f"replica-{len(self.running)}",
            "TRADING_OPERATOR_PORT": str(port),
            "TRADING_OPERATOR_LEASE_SECONDS": "6",
            **{f"TRADING_OPERATOR_{name}": value for name, value in settings.items()},
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "trading_operator.main"],
                env=environment,
                stdout=output,
                stderr=output,
                cwd=self.folder,
            )
        replica = OperatorProcess(process, log, port)
        self.running.append(replica)
        return replica

    def start_leading(self, **settings: str) -> OperatorProcess:
        """Start a replica and wait until it leads."""
        replica = self.start(None, **settings)
        eventually(replica.leads_or_fails, 60)
        return replica

    def describe(self, output: TextIO) -> None:
        """Write down how things stand, for a test that failed."""
        for replica in self.running:
            output.write(f"{replica.log.name}:\n{replica.log.read_text()}\n{replica.metrics()}\n")
        for kind in _DESCRIBED:
            for item in self.namespace.list(kind):
                output.write(f"{kind} {item['metadata']['name']}: {item.get('status')}\n")

    def stop_all(self) -> None:
        """Kill what still runs."""
        for replica in self.running:
            replica.kill()

    def writes(self) -> list[str]:
        """Return `verb resource/name` of each of the operator's writes but those of Leases."""
        return [_describe(event) for event in self.audit.events() if _is_write(event)]

    def settle(self, seconds: float = QUIET_SECONDS) -> list[str]:
        """Wait until nothing was written for a while and return the writes until then."""
        writes, since = self.writes(), time.monotonic()
        end = since + SETTLE_SECONDS
        while time.monotonic() < since + seconds:
            time.sleep(0.1)
            before, writes = writes, self.writes()
            if before != writes:
                since = time.monotonic()
            assert since < end, f"it does not stop writing: {writes[-20:]}"
        return writes


def grant_rights(namespace: Namespace, helm: Path, *values: str) -> None:
    """Make the operator's account with the rights that the chart renders for one namespace."""
    for manifest in render_rights(namespace.name, helm, *values):
        kind = manifest["kind"]
        if kind in _RIGHTS:
            namespace.apply(_RIGHTS[kind], manifest)
        else:
            namespace.client.apply(_CLUSTER_RIGHTS[kind], manifest)


def grant_hook_rights(namespace: Namespace, helm: Path) -> None:
    """Make the account of the hook before an uninstall, with the rights that the chart gives it."""
    for manifest in _render(namespace.name, helm):
        if manifest["kind"] in _RIGHTS and _is_hook(manifest):
            namespace.apply(_RIGHTS[manifest["kind"]], manifest)


def render_rights(namespace: str, helm: Path, *values: str) -> list[dict[str, Any]]:
    """Return the account, roles and bindings of the chart; `values` are options of helm."""
    kinds = {**_RIGHTS, **_CLUSTER_RIGHTS}
    rendered = _render(namespace, helm, *values)
    return [each for each in rendered if each["kind"] in kinds and not _is_hook(each)]


def _render(namespace: str, helm: Path, *values: str) -> list[dict[str, Any]]:
    rendered = subprocess.run(
        [
            str(helm),
            "template",
            ACCOUNT,
            str(CHART),
            f"--namespace={namespace}",
            *(values if any("rbac.scope=" in each for each in values) else _namespaced(namespace)),
            *values,
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    return [each for each in yaml.safe_load_all(rendered.stdout) if each]


def _is_hook(manifest: dict[str, Any]) -> bool:
    # The hook has an account of its own; some of its rights are there all the time.
    return "-uninstall" in manifest["metadata"]["name"]


def _namespaced(namespace: str) -> tuple[str, str]:
    return "--set=rbac.scope=namespaced", f"--set=watchNamespaces={{{namespace}}}"


def revoke_cluster_rights(namespace: Namespace) -> None:
    """Delete what `grant_rights` made outside of the namespace."""
    for path in _CLUSTER_RIGHTS.values():
        for item in namespace.client.request("GET", path)["items"]:
            name = item["metadata"]["name"]
            if name.startswith(f"{namespace.name}-"):
                namespace.client.request("DELETE", f"{path}/{name}")


def write_kubeconfig(
    namespace: Namespace, path: Path, server: str | None = None, account: str = ACCOUNT
) -> Path:
    """Write a kubeconfig with a token of the operator's account, or of another one."""
    answer = namespace.client.request(
        "POST",
        f"{namespace.path('serviceaccounts', account)}/token",
        {"spec": {"expirationSeconds": 3600}},
    )
    cluster = {**namespace.client.cluster, "server": server or namespace.client.server}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": answer["status"]["token"]}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(config))
    return path


def _is_write(event: dict[str, Any]) -> bool:
    return (
        event["verb"] in WRITES
        and event["stage"] == "ResponseComplete"
        and event["objectRef"]["resource"] != "leases"
    )


def _describe(event: dict[str, Any]) -> str:
    target = event["objectRef"]
    sub = f"/{target['subresource']}" if "subresource" in target else ""
    return f"{event['verb']} {target['resource']}/{target.get('name', '')}{sub}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
