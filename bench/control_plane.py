"""etcd and an API server of the bench's own: fresh for every measurement, nothing beside them."""

import base64
import dataclasses
import json
import shutil
import ssl
import time
from pathlib import Path
from typing import Any

from cluster import control_plane, tools
from cluster.certificates import write_certificates
from cluster.cleanup import delete_cluster
from cluster.errors import build_component_error
from cluster.kubeconfig import write_kubeconfigs
from cluster.kubernetes_api import ApiClient
from cluster.layout import CONTROL_PLANE, Layout, build_layout
from cluster.processes import Component, ProcessTable

PROFILE = dataclasses.replace(CONTROL_PLANE, name="bench", api_port=28443)
TOKEN_SECONDS = 86400
READY_SECONDS = 90.0
POLL_SECONDS = 0.1
SUBJECTS = "bench-subjects"  # the namespace of the service accounts
_ACCOUNTS = f"/api/v1/namespaces/{SUBJECTS}/serviceaccounts"


def find_layout() -> Layout:
    """Return where the control plane of the bench lies."""
    return build_layout(PROFILE, tools.find_tools())


def build_components(layout: Layout) -> tuple[Component, Component]:
    """Build etcd as it is deployed, with fsync, and the API server."""
    etcd = control_plane.build_etcd(layout)
    command = tuple(each for each in etcd.command if each != "--unsafe-no-fsync")
    return dataclasses.replace(etcd, command=command), control_plane.build_apiserver(layout)


class ControlPlane:
    """Starts with an empty store each time; no controller manager, so nothing else uses the CPU."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._table = ProcessTable(layout.pids, layout.logs)

    def prepare(self) -> None:
        """Remove what a killed run left and write certificates."""
        delete_cluster(self.layout)
        self.layout.state.mkdir(parents=True, exist_ok=True)
        self.layout.owner_mark.touch()
        write_certificates(self.layout)
        write_kubeconfigs(self.layout)
        control_plane.write_control_plane_config(self.layout)

    def start(self) -> None:
        """Start with an empty store and wait until the API server is ready."""
        self.stop()
        control_plane.write_control_plane_config(self.layout)
        components = build_components(self.layout)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            for component in components:
                # Also again: a killed one's last threads may hold the port for a moment.
                self._table.start(component)
            if self.client.is_ready():
                return
            if time.monotonic() > deadline:
                log = self._table.log_of("kube-apiserver")
                raise build_component_error("kube-apiserver", "did not become ready", log)
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End both and throw the store and the audit log away."""
        for name in ("kube-apiserver", "etcd"):
            self._table.stop(name, grace_seconds=0)
        shutil.rmtree(control_plane.etcd_folder(self.layout) / "data", ignore_errors=True)
        self.layout.audit_log.unlink(missing_ok=True)

    def delete(self) -> None:
        """End everything and leave nothing behind."""
        delete_cluster(self.layout)

    @property
    def client(self) -> ApiClient:
        """Return a client with the administrator's rights."""
        return ApiClient(self.layout.kubeconfig)

    def build_ssl_context(self) -> ssl.SSLContext:
        """Build what a client of the API server needs to trust it."""
        config = json.loads(self.layout.kubeconfig.read_text(encoding="utf-8"))
        return ssl.create_default_context(cadata=authority_of(config))

    def pids(self) -> dict[str, int]:
        """Return the pids of etcd and the API server."""
        found = {name: self._table.pid_of(name) for name in ("etcd", "kube-apiserver")}
        return {name: pid for name, pid in found.items() if pid is not None}

    def write_kubeconfig(self, account: str, server: str = "") -> Path:
        """Write a kubeconfig with a token of a service account: fair queueing counts for it."""
        admin: dict[str, Any] = json.loads(self.layout.kubeconfig.read_text(encoding="utf-8"))
        cluster = {"server": server} if server else admin["clusters"][0]["cluster"]
        config = {
            **admin,
            "clusters": [{"name": admin["clusters"][0]["name"], "cluster": cluster}],
            "users": [
                {"name": admin["users"][0]["name"], "user": {"token": self._ask_token(account)}}
            ],
        }
        path = self.layout.state / f"{account}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    def write_service_account(self, account: str) -> dict[str, str]:
        """Write what a kubelet mounts into a pod; returns the variables that tell of it."""
        folder = self.layout.state / account
        folder.mkdir(mode=0o700, exist_ok=True)
        config = json.loads(self.layout.kubeconfig.read_text(encoding="utf-8"))
        (folder / "ca.crt").write_text(authority_of(config), encoding="utf-8")
        (folder / "token").write_text(self._ask_token(account), encoding="utf-8")
        return {
            "TRADING_OPERATOR_SERVICE_ACCOUNT": str(folder),
            "KUBERNETES_SERVICE_HOST": self.layout.profile.api_host,
            "KUBERNETES_SERVICE_PORT": str(self.layout.profile.api_port),
        }

    def _ask_token(self, account: str) -> str:
        request = {"spec": {"expirationSeconds": TOKEN_SECONDS}}
        answer = self.client.post(f"{_ACCOUNTS}/{account}/token", request)
        return str(answer["status"]["token"])


def authority_of(config: dict[str, Any]) -> str:
    """Return the certificate authority of a kubeconfig, as text."""
    encoded = config["clusters"][0]["cluster"]["certificate-authority-data"]
    return base64.b64decode(encoded).decode()
