"""Which kind of cluster serves a profile: the only place that knows more than one."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Protocol

from cluster import kind, packages, tools
from cluster.cleanup import delete_cluster
from cluster.commands import run
from cluster.embedded import EmbeddedCluster, check_machine
from cluster.errors import ClusterError, read_tail
from cluster.layout import NODE, Layout, Profile, build_layout, cache_dir, state_dir, state_root
from cluster.packages import CONTROL_PLANE_PROGRAMS
from cluster.pause_image import ensure_pause_layout
from cluster.processes import ProcessTable
from cluster.progress import Progress

AUTO = "auto"
LAST_WORDS = 5


@dataclass(frozen=True)
class Status:
    """What runs: one line a part, and whether all is well."""

    healthy: bool
    lines: tuple[str, ...]


class Provider(Protocol):
    """One way to have a cluster."""

    def setup(self) -> None:
        """Install and build what this provider needs."""

    def up(self) -> None:
        """Start the cluster, or do nothing if it runs."""

    def down(self) -> None:
        """End the cluster and leave nothing behind."""

    def status(self) -> Status:
        """Say what runs."""

    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""

    def load_images(self, folders: Sequence[Path]) -> None:
        """Give the cluster's nodes the images of OCI layout folders."""


class Embedded:
    """Kubernetes as processes of this machine."""

    def __init__(self, profile: Profile, progress: Progress, fake_nodes: int) -> None:
        self._profile = profile
        self._progress = progress
        self._fake_nodes = fake_nodes

    def setup(self) -> None:
        """Check the machine, install packages, build the programs."""
        layout = self._layout()
        check_machine(layout)
        needed = packages.PROGRAM_PACKAGES if layout.profile.has_node else CONTROL_PLANE_PROGRAMS
        missing = packages.plan_packages(packages.read_missing_programs(needed))
        progress = self._progress.of(2 if missing else 1)
        if missing:
            with progress.step(f"installing {' '.join(missing)} (about half a minute)"):
                packages.install_packages(missing)
        tools.ensure_tools(progress)
        if self._profile.has_node:
            ensure_pause_layout()

    def up(self) -> None:
        """Set up what is missing and start."""
        self.setup()
        self._cluster().start()

    def down(self) -> None:
        """End and remove, also what a killed run left."""
        # Nothing of this needs the programs, so it works on a machine where they never were.
        layout = build_layout(self._profile, state_dir(self._profile))
        table = ProcessTable(layout.pids, layout.logs)
        for name in table.find_ended():
            words = read_tail(table.log_of(name), LAST_WORDS)
            self._progress.say(f"\n{name} had ended before; its last words:\n{words}")
        delete_cluster(layout)

    def status(self) -> Status:
        """List the components with their pids."""
        cluster = self._cluster()
        states = cluster.read_state()
        lines = tuple(f"{name:26}{pid or 'stopped'}" for name, pid in states.items())
        return Status(cluster.is_healthy(), lines)

    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return state_dir(self._profile) / "admin.kubeconfig"

    def load_images(self, folders: Sequence[Path]) -> None:
        """Import into our containerd."""
        self._cluster().load_images(folders)

    def _layout(self) -> Layout:
        return build_layout(self._profile, tools.find_tools())

    def _cluster(self) -> EmbeddedCluster:
        return EmbeddedCluster(self._layout(), self._progress, self._fake_nodes)


class Kind:
    """A kind cluster in Docker."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def setup(self) -> None:
        """Check Docker and kind; build kubectl and helm with the rest."""
        kind.check_kind()
        packages.check_disk(tools.plan_disk_needs(tools.find_tools()))
        tools.ensure_tools(self._progress.of(1))

    def up(self) -> None:
        """Create the cluster unless it is there."""
        self.setup()
        kind.start(self._progress)

    def down(self) -> None:
        """Delete the cluster."""
        kind.stop()

    def status(self) -> Status:
        """Tell whether kind knows the cluster."""
        there = kind.exists()
        return Status(there, (f"kind cluster {kind.NAME}: {'there' if there else 'not there'}",))

    def kubeconfig(self) -> Path:
        """Return a kubeconfig of our own."""
        return kind.kind_kubeconfig()

    def load_images(self, folders: Sequence[Path]) -> None:
        """Load through kind."""
        kind.load_images(folders, self._progress)


class Current:
    """The cluster that the person's kubeconfig points at; used only when asked for."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def setup(self) -> None:
        """Build kubectl and helm with the rest."""
        tools.ensure_tools(self._progress.of(1))

    def up(self) -> None:
        """Check that the cluster answers; it is not ours to start."""
        self.setup()
        status = self.status()
        if not status.healthy:
            raise ClusterError(f"the current cluster does not answer: {status.lines[0]}")

    def down(self) -> None:
        """Leave the cluster alone."""

    def status(self) -> Status:
        """Ask the API server whether it is ready."""
        kubectl = [str(tools.find_tools() / "kubectl"), "--kubeconfig", str(self.kubeconfig())]
        try:
            return Status(True, (run([*kubectl, "get", "--raw", "/readyz"]).strip(),))
        except ClusterError as error:
            return Status(False, (str(error),))

    def kubeconfig(self) -> Path:
        """Return the first file of KUBECONFIG, or the default one."""
        chosen = os.environ.get("KUBECONFIG", "").split(":")[0]
        return Path(chosen) if chosen else Path.home() / ".kube" / "config"

    def load_images(self, folders: Sequence[Path]) -> None:
        """Refuse: how images get to a foreign cluster is its owner's to say."""
        raise ClusterError(
            "images cannot be put into the current cluster from here: push them to a registry "
            f"that it reads ({', '.join(map(str, folders))}), and set the chart's image to that"
        )


PROVIDERS = ("embedded", "kind", "current")


def choose_provider(
    requested: str, profile: Profile, recorded: str | None, kind_is_usable: Callable[[], bool]
) -> str:
    """Return the provider's name: the asked one, the one in use, kind where usable, or embedded."""
    if not profile.has_node:
        return "embedded"
    if requested != AUTO:
        return requested
    if recorded in PROVIDERS:
        return recorded
    return "kind" if kind_is_usable() else "embedded"


def _record() -> Path:
    return state_root() / "provider"


def read_recorded_provider() -> str | None:
    """Return the provider of the running cluster with a node, if one was started."""
    try:
        return _record().read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def resolve_provider(requested: str, profile: Profile) -> str:
    """Return the name of the provider that serves a profile on this machine now."""
    return choose_provider(requested, profile, read_recorded_provider(), kind.is_usable)


def build_provider(
    requested: str, profile: Profile, progress: Progress, fake_nodes: int = 3
) -> Provider:
    """Build the provider that serves a profile."""
    name = resolve_provider(requested, profile)
    makers: dict[str, Callable[[], Provider]] = {
        "embedded": lambda: Embedded(profile, progress, fake_nodes),
        "kind": lambda: Kind(progress),
        "current": lambda: Current(progress),
    }
    provider = makers[name]()
    return _Recorded(provider, name) if profile == NODE else provider


class _Recorded:
    """Remembers which provider was started, so that later commands find the same one."""

    def __init__(self, provider: Provider, name: str) -> None:
        self._provider = provider
        self._name = name
        self.setup = provider.setup
        self.status = provider.status
        self.kubeconfig = provider.kubeconfig
        self.load_images = provider.load_images

    def up(self) -> None:
        running = read_recorded_provider()
        if running not in (None, self._name):
            raise ClusterError(
                f"a cluster of provider {running} is up: end it with `make demo-down` or "
                f"`make cluster-down`, or go on with it: `CLUSTER={running}`"
            )
        _record().parent.mkdir(parents=True, exist_ok=True)
        _record().write_text(self._name, encoding="utf-8")
        self._provider.up()

    def down(self) -> None:
        self._provider.down()
        _record().unlink(missing_ok=True)
        with suppress(OSError):  # Another profile still lives there, or it never was.
            _record().parent.rmdir()


@contextmanager
def exclusive(profile: Profile) -> Iterator[None]:
    """Let only one command at a time change a profile's cluster."""
    folder = cache_dir() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / profile.name).open("w") as lock:
        flock(lock, LOCK_EX)
        yield
