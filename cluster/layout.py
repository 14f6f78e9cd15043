"""Where everything lies and which addresses each profile uses."""

import os
from dataclasses import dataclass
from pathlib import Path

BRIDGE = "trop0"
BRIDGE_ADDRESS = "10.244.0.1"
POD_CIDR = "10.244.0.0/24"
NODE_NAME = "trading-node"
CGROUP = "trading-operator"
CNI_NETWORK = "trading-operator"
STORAGE_PROVISIONER = "tradingoperator.io/host-path"


@dataclass(frozen=True)
class Profile:
    """The fixed addresses of one kind of cluster; two profiles never share one."""

    name: str
    api_host: str
    api_port: int
    service_cidr: str
    kubernetes_ip: str
    dns_ip: str
    has_node: bool


NODE = Profile("node", BRIDGE_ADDRESS, 6443, "10.96.0.0/16", "10.96.0.1", "10.96.0.10", True)
CONTROL_PLANE = Profile(
    "control-plane", "127.0.0.1", 27443, "10.97.0.0/16", "10.97.0.1", "10.97.0.10", False
)
PROFILES = {profile.name: profile for profile in (NODE, CONTROL_PLANE)}


def cache_dir() -> Path:
    """Return the folder of everything that is worth keeping between runs."""
    chosen = os.environ.get("TRADING_OPERATOR_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "trading-operator"


def state_root() -> Path:
    """Return the folder of running clusters; short, because it holds Unix sockets."""
    chosen = os.environ.get("TRADING_OPERATOR_STATE")
    if chosen:
        return Path(chosen)
    return Path("/var/lib/trading-operator") if os.geteuid() == 0 else cache_dir() / "clusters"


@dataclass(frozen=True)
class Layout:
    """The files of one running cluster."""

    profile: Profile
    state: Path
    cache: Path
    bin: Path

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        """One log a component."""
        return self.state / "logs"

    @property
    def config(self) -> Path:
        """Rendered configuration files."""
        return self.state / "config"

    @property
    def pids(self) -> Path:
        """One record a started process."""
        return self.state / "pids"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON object a line."""
        return self.state / "audit.log"

    @property
    def containerd_socket(self) -> Path:
        """The socket of our own containerd."""
        return self.state / "containerd.sock"

    @property
    def containerd_root(self) -> Path:
        """Images and snapshots: in the cache, because unpacking them takes a minute."""
        return self.cache / "containerd"

    @property
    def owner_mark(self) -> Path:
        """Present in every state folder of ours: what a start or an end may remove."""
        return self.state / "made-by-trading-operator"

    @property
    def complete_marker(self) -> Path:
        """Present once a start went through; without it a start begins from nothing."""
        return self.state / "complete"

    def program(self, name: str) -> str:
        """Return the path of one of the programs built from source."""
        return str(self.bin / name)

    def component_kubeconfig(self, name: str) -> Path:
        """Return the kubeconfig of one component."""
        return self.pki / f"{name}.kubeconfig"


def state_dir(profile: Profile) -> Path:
    """Return the folder of a profile's running cluster."""
    return state_root() / profile.name


def build_layout(profile: Profile, bin_dir: Path) -> Layout:
    """Bring together the folders of one profile."""
    return Layout(profile=profile, state=state_dir(profile), cache=cache_dir(), bin=bin_dir)
