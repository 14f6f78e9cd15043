"""What tests and other programs use: a running cluster by one call."""

from dataclasses import dataclass
from pathlib import Path

from cluster import tools
from cluster.errors import ClusterError
from cluster.layout import PROFILES, Profile, state_dir
from cluster.progress import Progress
from cluster.providers import AUTO, build_provider, exclusive, resolve_provider

DEFAULT_FAKE_NODES = 3


@dataclass(frozen=True)
class ClusterHandle:
    """A running cluster: how to reach it and where its files are."""

    kubeconfig: Path
    bin_dir: Path
    state_dir: Path

    @property
    def audit_log(self) -> Path:
        """The API server's audit log (embedded clusters), one JSON object a line."""
        return self.state_dir / "audit.log"


def find_profile(name: str) -> Profile:
    """Return a profile by its name."""
    if name not in PROFILES:
        raise ClusterError(f"profile {name!r} is unknown; there are {', '.join(PROFILES)}")
    return PROFILES[name]


def find_provider(profile: str, requested: str = AUTO) -> str:
    """Return which provider a request means here and now: the running one stays for `auto`."""
    return resolve_provider(requested, find_profile(profile))


def ensure_up(
    profile: str,
    provider: str = AUTO,
    fake_nodes: int = DEFAULT_FAKE_NODES,
    progress: Progress | None = None,
) -> ClusterHandle:
    """Start a profile's cluster unless it runs healthily already."""
    chosen = find_profile(profile)
    with exclusive(chosen):
        cluster = build_provider(provider, chosen, progress or Progress(1), fake_nodes)
        cluster.up()
        return ClusterHandle(cluster.kubeconfig(), tools.find_tools(), state_dir(chosen))


def stop(profile: str, provider: str = AUTO, progress: Progress | None = None) -> None:
    """End a profile's cluster and leave nothing behind; safe when nothing runs."""
    chosen = find_profile(profile)
    with exclusive(chosen):
        build_provider(provider, chosen, progress or Progress(1)).down()


def load_images(
    layouts: list[Path], provider: str = AUTO, progress: Progress | None = None
) -> None:
    """Give the node of profile `node` the images of OCI layout folders that it lacks."""
    chosen = find_profile("node")
    with exclusive(chosen):
        build_provider(provider, chosen, progress or Progress(1)).load_images(layouts)
