"""etcd, the API server, the controller manager and the scheduler: their command lines."""

import json
from pathlib import Path

from cluster.layout import Layout
from cluster.processes import Component

AUDIT_POLICY = Path(__file__).parent / "config" / "audit-policy.yaml"
# A Unix socket in etcd's folder: no port to collide on, and nobody else can read the secrets.
ETCD_CLIENTS = "unix://localhost:2379"
ETCD_PEERS = "unix://localhost:2380"
ISSUER = "https://kubernetes.default.svc.cluster.local"


def _flags(values: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"--{name}={value}" for name, value in values.items())


def etcd_folder(layout: Layout) -> Path:
    """Return the folder where etcd runs and keeps its data and sockets."""
    return layout.state / "etcd"


def build_etcd(layout: Layout) -> Component:
    """Build etcd without fsync: a cluster for tests may lose its data with the machine."""
    flags = {
        "data-dir": str(etcd_folder(layout) / "data"),
        "listen-client-urls": ETCD_CLIENTS,
        "advertise-client-urls": ETCD_CLIENTS,
        "listen-peer-urls": ETCD_PEERS,
        "initial-advertise-peer-urls": ETCD_PEERS,
        "initial-cluster": f"default={ETCD_PEERS}",
        "quota-backend-bytes": str(4 << 30),
        "auto-compaction-retention": "5m",
        "logger": "zap",
        "log-level": "warn",
    }
    command = (layout.program("etcd"), *_flags(flags), "--unsafe-no-fsync")
    return Component("etcd", command, directory=etcd_folder(layout))


def build_apiserver(layout: Layout) -> Component:
    """Build the API server."""
    values = {
        **_serving_flags(layout),
        **_identity_flags(layout.pki),
        **_aggregation_flags(layout.pki),
        **_audit_flags(layout),
        "etcd-servers": ETCD_CLIENTS,
        "service-cluster-ip-range": layout.profile.service_cidr,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "profiling": "false",
    }
    values.update(_kubelet_flags(layout.pki) if layout.profile.has_node else _nodeless_flags())
    command = (layout.program("kube-apiserver"), *_flags(values))
    return Component("kube-apiserver", command, directory=etcd_folder(layout))


def _serving_flags(layout: Layout) -> dict[str, str]:
    return {
        "bind-address": layout.profile.api_host,
        "secure-port": str(layout.profile.api_port),
        "tls-cert-file": f"{layout.pki}/apiserver.crt",
        "tls-private-key-file": f"{layout.pki}/apiserver.key",
        # Otherwise it wants to write a certificate under /var/run.
        "cert-dir": str(layout.pki),
    }


def _identity_flags(pki: Path) -> dict[str, str]:
    return {
        "client-ca-file": f"{pki}/ca.crt",
        "service-account-issuer": ISSUER,
        "service-account-key-file": f"{pki}/service-account.pub",
        "service-account-signing-key-file": f"{pki}/service-account.key",
    }


def _aggregation_flags(pki: Path) -> dict[str, str]:
    return {
        "requestheader-client-ca-file": f"{pki}/front-proxy-ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": f"{pki}/front-proxy-client.crt",
        "proxy-client-key-file": f"{pki}/front-proxy-client.key",
    }


def _audit_flags(layout: Layout) -> dict[str, str]:
    return {
        "audit-policy-file": str(AUDIT_POLICY),
        "audit-log-path": str(layout.audit_log),
        # Large enough never to rotate under a test that counts lines.
        "audit-log-maxsize": "4096",
        "audit-log-maxbackup": "1",
    }


def _kubelet_flags(pki: Path) -> dict[str, str]:
    return {
        "enable-aggregator-routing": "true",
        "kubelet-certificate-authority": f"{pki}/ca.crt",
        "kubelet-client-certificate": f"{pki}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{pki}/apiserver-kubelet-client.key",
        # Otherwise logs and exec look the node's name up in DNS.
        "kubelet-preferred-address-types": "InternalIP",
    }


def _nodeless_flags() -> dict[str, str]:
    # Nothing reaches the Service `kubernetes` here, and a loopback address may not be its endpoint.
    return {"endpoint-reconciler-type": "none", "advertise-address": "192.0.2.1"}


def build_controller_manager(layout: Layout) -> Component:
    """Build the controller manager, with limits high enough not to be what a test measures."""
    kubeconfig = str(layout.component_kubeconfig("controller-manager"))
    values = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "secure-port": "0",
        "leader-elect": "false",
        "profiling": "false",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": f"{layout.pki}/service-account.key",
        "root-ca-file": f"{layout.pki}/ca.crt",
        "cluster-signing-cert-file": f"{layout.pki}/ca.crt",
        "cluster-signing-key-file": f"{layout.pki}/ca.key",
        "horizontal-pod-autoscaler-sync-period": "5s",
        "horizontal-pod-autoscaler-cpu-initialization-period": "30s",
        "horizontal-pod-autoscaler-initial-readiness-delay": "5s",
        "kube-api-qps": "500",
        "kube-api-burst": "1000",
    }
    command = (layout.program("kube-controller-manager"), *_flags(values))
    return Component("kube-controller-manager", command)


def build_scheduler_config(layout: Layout) -> str:
    """Return the scheduler's configuration file (JSON)."""
    config = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {
            "kubeconfig": str(layout.component_kubeconfig("scheduler")),
            "qps": 500,
            "burst": 1000,
        },
        "leaderElection": {"leaderElect": False},
        "enableProfiling": False,
    }
    return json.dumps(config, indent=1)


def build_scheduler(layout: Layout) -> Component:
    """Build the scheduler."""
    values = {
        "config": f"{layout.config}/scheduler.json",
        "authentication-kubeconfig": str(layout.component_kubeconfig("scheduler")),
        "authorization-kubeconfig": str(layout.component_kubeconfig("scheduler")),
        "secure-port": "0",
    }
    return Component("kube-scheduler", (layout.program("kube-scheduler"), *_flags(values)))


def write_control_plane_config(layout: Layout) -> None:
    """Write the files and folders that the control plane needs besides certificates."""
    etcd_folder(layout).mkdir(parents=True, exist_ok=True)
    etcd_folder(layout).chmod(0o700)
    layout.config.mkdir(parents=True, exist_ok=True)
    (layout.config / "scheduler.json").write_text(build_scheduler_config(layout), encoding="utf-8")
