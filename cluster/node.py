"""The real node: containerd, kubelet, kube-proxy, CoreDNS, metrics-server."""

import base64
import http
import urllib.request
from contextlib import suppress
from pathlib import Path
from string import Template

from cluster import networking
from cluster.layout import (
    BRIDGE,
    BRIDGE_ADDRESS,
    CGROUP,
    CNI_NETWORK,
    NODE_NAME,
    POD_CIDR,
    Layout,
)
from cluster.pause_image import PAUSE_IMAGE
from cluster.processes import Component

CGROUPS = Path("/sys/fs/cgroup")
TEMPLATES = Path(__file__).parent / "config"
# Template in config/ and where it goes in the cluster's own config folder.
RENDERED = {
    "containerd.toml": "containerd.toml",
    "cni.conflist": "cni/10-bridge.conflist",
    "kubelet.json": "kubelet.json",
    "kube-proxy.json": "kube-proxy.json",
    "Corefile": "Corefile",
    "addons.yaml": "addons.yaml",
}


def build_values(layout: Layout, *, masquerade_all: bool) -> dict[str, str]:
    """Return what the templates in config/ may name."""
    return {
        "api_port": str(layout.profile.api_port),
        "bridge": BRIDGE,
        "bridge_address": BRIDGE_ADDRESS,
        "ca_bundle": base64.b64encode((layout.pki / "ca.crt").read_bytes()).decode(),
        "cgroup": CGROUP,
        "cni_network": CNI_NETWORK,
        "config": str(layout.config),
        "containerd_root": str(layout.containerd_root),
        "containerd_socket": str(layout.containerd_socket),
        "dns_ip": layout.profile.dns_ip,
        "masquerade_all": "true" if masquerade_all else "false",
        "node_name": NODE_NAME,
        "pause_image": PAUSE_IMAGE,
        "pki": str(layout.pki),
        "pod_cidr": POD_CIDR,
        "state": str(layout.state),
    }


def write_node_config(layout: Layout) -> None:
    """Render every configuration file of the node."""
    values = build_values(layout, masquerade_all=not networking.bridges_are_filtered())
    for source, target in RENDERED.items():
        text = Template((TEMPLATES / source).read_text(encoding="utf-8")).substitute(values)
        path = layout.config / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    # Pods that ask for the node's DNS get the cluster's: the host's may be a loopback resolver.
    resolver = f"nameserver {layout.profile.dns_ip}\n"
    (layout.config / "resolv.conf").write_text(resolver, encoding="utf-8")


def build_containerd(layout: Layout) -> Component:
    """Build containerd with sockets, state and configuration of our own."""
    # The shim is found through PATH: the one beside the containerd that runs must come first.
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"}
    command = ("containerd", "--config", f"{layout.config}/containerd.toml")
    return Component("containerd", command, environment=environment)


def build_kubelet(layout: Layout) -> Component:
    """Build the kubelet; its node address must not be loopback, hence the bridge's."""
    command = (
        layout.program("kubelet"),
        f"--config={layout.config}/kubelet.json",
        f"--kubeconfig={layout.component_kubeconfig('kubelet')}",
        f"--root-dir={layout.state}/kubelet",
        f"--cert-dir={layout.state}/kubelet/pki",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={BRIDGE_ADDRESS}",
    )
    return Component("kubelet", command)


def kubelet_answers() -> bool:
    """Tell whether the kubelet calls itself healthy."""
    try:
        with urllib.request.urlopen(f"http://{BRIDGE_ADDRESS}:10248/healthz", timeout=2) as answer:
            healthy: bool = answer.status == http.HTTPStatus.OK
            return healthy
    except OSError:
        return False


def build_kube_proxy(layout: Layout) -> Component:
    """Build kube-proxy."""
    command = (layout.program("kube-proxy"), f"--config={layout.config}/kube-proxy.json")
    return Component("kube-proxy", command)


def build_coredns(layout: Layout) -> Component:
    """Build CoreDNS as a host process behind the Service kube-dns."""
    return Component("coredns", (layout.program("coredns"), "-conf", f"{layout.config}/Corefile"))


def build_metrics_server(layout: Layout) -> Component:
    """Build metrics-server as a host process behind its Service."""
    kubeconfig = layout.component_kubeconfig("metrics-server")
    command = (
        layout.program("metrics-server"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={BRIDGE_ADDRESS}",
        "--secure-port=4443",
        f"--tls-cert-file={layout.pki}/metrics-server.crt",
        f"--tls-private-key-file={layout.pki}/metrics-server.key",
        f"--kubelet-certificate-authority={layout.pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        # The first must exceed the second.
        "--metric-resolution=10s",
        "--kubelet-request-timeout=5s",
    )
    return Component("metrics-server", command)


def find_cgroup_roots() -> list[Path]:
    """Return our own cgroup in every hierarchy of the machine (one with cgroup v2)."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / CGROUP]
    # A hierarchy with two controllers has a link for each of them.
    return sorted({folder.resolve() / CGROUP for folder in CGROUPS.iterdir() if folder.is_dir()})


def write_cgroups() -> None:
    """Create our own cgroups: whatever is left in them later is certainly ours."""
    for folder in find_cgroup_roots():
        folder.mkdir(exist_ok=True)
        if (CGROUPS / "cgroup.controllers").exists():
            _delegate(folder.parent)
            _delegate(folder)
        else:
            _fill_cpuset(folder)


def _fill_cpuset(folder: Path) -> None:
    """Name processors: a new cpuset of cgroup v1 is empty and takes no process until then."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (folder / name).exists() and not (folder / name).read_text().strip():
            (folder / name).write_text((folder.parent / name).read_text())


def _delegate(folder: Path) -> None:
    """Let the cgroups below use every controller that may be used (cgroup v2)."""
    for controller in (folder / "cgroup.controllers").read_text().split():
        # One that real-time processes or the machine's owner hold back; the kubelet names those
        # that it cannot do without.
        with suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
