"""The embedded cluster: Kubernetes itself as processes of this machine."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from cluster import cleanup, control_plane, fake_nodes, networking, node, packages, storage, tools
from cluster.certificates import write_certificates
from cluster.commands import run, succeeds
from cluster.conflicts import check_conflicts, check_foreign_node
from cluster.errors import ClusterError, build_component_error
from cluster.image_loading import ctr, import_layout, plan_imports, read_image_names, read_images
from cluster.kubeconfig import write_kubeconfigs
from cluster.kubernetes_api import ApiClient, ApiError
from cluster.layout import NODE_NAME, Layout
from cluster.pause_image import ensure_pause_layout
from cluster.processes import Component, ProcessTable
from cluster.progress import Progress, Step

POLL_SECONDS = 0.1
UNREACHABLE = (ApiError, OSError, HTTPException)
IMAGES_BYTES = 3 * packages.GIB
NODE_STEPS = 7
CONTROL_PLANE_STEPS = 4
REVIVAL_SECONDS = 5.0


def build_control_components(layout: Layout) -> list[Component]:
    """Return the control plane's components in the order of their start."""
    builders = (
        control_plane.build_etcd,
        control_plane.build_apiserver,
        control_plane.build_controller_manager,
        control_plane.build_scheduler,
    )
    return [build(layout) for build in builders]


def build_components(layout: Layout) -> list[Component]:
    """Return every component of a profile."""
    builders: tuple[Callable[[Layout], Component], ...] = (fake_nodes.build_kwok,)
    if layout.profile.has_node:
        builders = (
            node.build_containerd,
            node.build_kubelet,
            node.build_kube_proxy,
            node.build_coredns,
            node.build_metrics_server,
        )
    builders = (*builders, storage.build_storage_provisioner)
    return build_control_components(layout) + [build(layout) for build in builders]


class EmbeddedCluster:
    """Starts, inspects and ends one embedded cluster."""

    def __init__(self, layout: Layout, progress: Progress, fake_node_count: int) -> None:
        self._layout = layout
        self._progress = progress
        self._fake_node_count = fake_node_count
        self._table = ProcessTable(layout.pids, layout.logs)
        # Only these are expected to run while others still wait for their turn.
        self._started: set[str] = set()

    def read_state(self) -> dict[str, int | None]:
        """Return the pid of every component, None for one that does not run."""
        return {c.name: self._table.pid_of(c.name) for c in build_components(self._layout)}

    def is_healthy(self) -> bool:
        """Tell whether a whole start went through and everything still answers."""
        components = build_components(self._layout)
        if not self._layout.complete_marker.exists() or not all(map(self._table.runs, components)):
            return False
        return self._api_ready() and self._nodes_ready()

    def start(self) -> None:
        """Bring the cluster up: nothing to do, a repair, or a start from nothing."""
        if self.is_healthy():
            return
        check_foreign_node(self._layout)
        if not self._layout.complete_marker.exists():
            self._start_afresh()
            return
        try:
            self._start_all()
        except (ClusterError, *UNREACHABLE) as error:
            self._progress.say(f"could not repair the stopped cluster ({error}); starting afresh")
            self._start_afresh()

    def load_images(self, folders: Sequence[Path]) -> None:
        """Import the images of OCI layout folders that the node does not have yet."""
        if self._table.pid_of("containerd") is None:
            raise ClusterError("the cluster does not run: `python3 -m cluster up` starts it")
        wanted = [(folder, read_image_names(folder)) for folder in folders]
        imports = plan_imports(wanted, read_images(self._layout))
        progress = self._progress.of(len(imports))
        for folder, names in imports:
            with progress.step(f"importing {', '.join(names)}"):
                import_layout(self._layout, folder)

    def _start_afresh(self) -> None:
        cleanup.delete_cluster(self._layout)
        check_conflicts(self._layout)
        self._layout.state.mkdir(parents=True, exist_ok=True)
        # Before anything else is made: only what has the mark is ever removed.
        self._layout.owner_mark.touch()
        self._start_all()

    def _start_all(self) -> None:
        self._started.clear()
        self._progress = self._progress.of(
            NODE_STEPS if self._layout.profile.has_node else CONTROL_PLANE_STEPS
        )
        with self._progress.step("writing certificates and configuration"):
            write_certificates(self._layout)
            write_kubeconfigs(self._layout)
            control_plane.write_control_plane_config(self._layout)
            storage.write_storage_config(self._layout)
        if self._layout.profile.has_node:
            self._prepare_node()
        self._start_control_plane()
        if self._layout.profile.has_node:
            self._start_node()
        else:
            self._start_fake_nodes()
        self._table.start(storage.build_storage_provisioner(self._layout))
        self._start_again_what_ended()
        self._layout.complete_marker.touch()

    def _start_again_what_ended(self) -> None:
        """A client of the API server that was found running may have been about to end."""
        deadline = time.monotonic() + REVIVAL_SECONDS
        while ended := [c for c in build_components(self._layout) if not self._table.runs(c)]:
            if time.monotonic() > deadline:
                name = ended[0].name
                raise build_component_error(name, "ended", self._table.log_of(name))
            for component in ended:
                self._table.start(component)
            time.sleep(POLL_SECONDS)

    def _start_control_plane(self) -> None:
        etcd, apiserver, *others = build_control_components(self._layout)
        with self._step("starting etcd and the API server", etcd, apiserver) as step:
            self._wait("kube-apiserver", "did not become ready", self._api_ready, step)
        with self._step("starting the controller manager and the scheduler", *others) as step:
            self._wait("kube-controller-manager", "made no account", self._accounts_made, step)
            # Before the programs start that end when these permissions are missing.
            for manifest in self._manifests():
                self._apply(manifest)

    def _start_fake_nodes(self) -> None:
        what = f"starting {self._fake_node_count} fake nodes"
        if self._table.pid_of("kwok") is None:
            fake_nodes.delete_leases(self._client(), self._fake_node_count)
        with self._step(what, fake_nodes.build_kwok(self._layout)) as step:
            fake_nodes.apply_fake_nodes(self._client(), self._fake_node_count)
            self._wait("kwok", "made no node ready", self._nodes_ready, step)

    def _prepare_node(self) -> None:
        layout = self._layout
        with self._progress.step("preparing the bridge, packet rules and cgroups"):
            networking.save_settings(layout.state / "kernel-settings.json")
            networking.apply_bridge()
            networking.apply_rules()
            node.write_cgroups()
            node.write_node_config(layout)
        with self._step("starting containerd", node.build_containerd(layout)) as step:
            self._wait("containerd", "does not answer", self._containerd_ready, step)
            self._forget_old_containers(step)
            self._import_pause_image()

    def _forget_old_containers(self, step: Step) -> None:
        """After a killed run containerd remembers containers that no kubelet knows."""
        if (self._layout.complete_marker).exists() or not cleanup.forget_containers(self._layout):
            return
        self._table.stop("containerd")
        self._table.start(node.build_containerd(self._layout))
        self._wait("containerd", "does not answer", self._containerd_ready, step)

    def _import_pause_image(self) -> None:
        folder = ensure_pause_layout()
        wanted = [(folder, read_image_names(folder))]
        for missing, _ in plan_imports(wanted, read_images(self._layout)):
            import_layout(self._layout, missing)

    def _start_node(self) -> None:
        layout = self._layout
        runtime = (node.build_kubelet(layout), node.build_kube_proxy(layout))
        with self._step("starting the kubelet and kube-proxy", *runtime) as step:
            self._wait("kubelet", "made no node ready", self._kubelet_ready, step)
        addons = (node.build_coredns(layout), node.build_metrics_server(layout))
        with self._step("starting DNS and metrics", *addons) as step:
            self._wait("metrics-server", "is not available", self._metrics_ready, step)

    def _manifests(self) -> list[Path]:
        addons = [self._layout.config / "addons.yaml"] if self._layout.profile.has_node else []
        return [storage.storage_manifest(self._layout), *addons]

    def _apply(self, manifest: Path) -> None:
        kubectl = [self._layout.program("kubectl"), "--kubeconfig", str(self._layout.kubeconfig)]
        cache = f"--cache-dir={self._layout.state}/kubectl-cache"
        run([*kubectl, cache, "apply", "--server-side", "--force-conflicts", "-f", str(manifest)])

    @contextmanager
    def _step(self, what: str, *components: Component) -> Iterator[Step]:
        with self._progress.step(what) as step:
            for component in components:
                self._table.start(component)
                self._started.add(component.name)
            yield step

    def _wait(
        self, name: str, problem: str, check: Callable[[], bool], step: Step, seconds: float = 90.0
    ) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            for started in self._started:
                if self._table.pid_of(started) is None:
                    raise build_component_error(started, "ended", self._table.log_of(started))
            if time.monotonic() > deadline:
                what = f"{problem} in {seconds:.0f} s"
                raise build_component_error(name, what, self._table.log_of(name))
            step.tick()
            time.sleep(POLL_SECONDS)

    def _client(self) -> ApiClient:
        return ApiClient(self._layout.kubeconfig)

    def _api_ready(self) -> bool:
        return self._client().is_ready()

    def _accounts_made(self) -> bool:
        return self._exists("/api/v1/namespaces/default/serviceaccounts/default")

    def _exists(self, path: str) -> bool:
        try:
            self._client().get(path)
        except UNREACHABLE:
            return False
        return True

    def _nodes_ready(self) -> bool:
        try:
            nodes = self._client().get("/api/v1/nodes")["items"]
        except UNREACHABLE:
            return False
        ready = [item["metadata"]["name"] for item in nodes if _is_ready(item)]
        if self._layout.profile.has_node:
            return NODE_NAME in ready
        return len(ready) >= self._fake_node_count

    def _kubelet_ready(self) -> bool:
        # The node's own word outlives a killed kubelet by a minute: ask the new one too.
        return node.kubelet_answers() and self._nodes_ready()

    def _metrics_ready(self) -> bool:
        return self._exists("/apis/metrics.k8s.io/v1beta1/nodes")

    def _containerd_ready(self) -> bool:
        return succeeds(ctr(self._layout, "version"))


def _is_ready(item: dict[str, object]) -> bool:
    status = item["status"]
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def check_machine(layout: Layout) -> None:
    """Say at once what this machine lacks for the profile."""
    if layout.profile.has_node:
        packages.check_root()
    needs = tools.plan_disk_needs(layout.bin)
    if layout.profile.has_node and not layout.containerd_root.exists():
        needs = [*needs, (layout.containerd_root, IMAGES_BYTES, "images")]
    packages.check_disk(needs)
