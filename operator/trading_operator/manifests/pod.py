"""Pod templates under the restricted Pod Security profile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from trading_operator.manifests.metadata import (
    REVISION_ANNOTATION,
    Manifest,
    Part,
    build_part_labels,
    build_selector,
)
from trading_operator.manifests.placement import (
    Placement,
    build_placement,
    build_placement_labels,
)

SECRETS_PATH = "/run/secrets"
TMP_PATH = "/tmp"
SECRETS_VOLUME = "secrets"
CONTAINER_NAME = "main"
_SECRET_FILE_MODE = 0o440
_CONFIG_FILE_MODE = 0o444


@dataclass(frozen=True)
class SecretFile:
    """One key of a Secret as a file below SECRETS_PATH."""

    path: str
    secret: str
    key: str
    optional: bool = False  # the pod starts without it, and sees it once it is there

    @property
    def mounted_at(self) -> str:
        """Return the absolute path that the program reads."""
        return f"{SECRETS_PATH}/{self.path}"


@dataclass(frozen=True)
class Mount:
    """A volume and where the container sees it."""

    path: str
    volume: Manifest  # with its name
    read_only: bool = False


@dataclass(frozen=True)
class Container:
    """One container of a pod."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[Manifest, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    resources: Manifest = field(default_factory=dict)
    probes: Manifest = field(default_factory=dict)  # readinessProbe, livenessProbe, startupProbe
    pull_policy: str | None = None


@dataclass(frozen=True)
class Sidecar:
    """A container that runs beside the main one, and ends when that one does."""

    name: str
    container: Container
    user: int
    group: int
    mounts: tuple[Mount, ...] = ()
    secret_files: tuple[SecretFile, ...] = ()  # its own: those of the pod are not for it


@dataclass(frozen=True)
class Pod:
    """What differs between pods."""

    container: Container
    user: int
    group: int
    grace_seconds: int
    mounts: tuple[Mount, ...] = ()
    secret_files: tuple[SecretFile, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    placement: Placement = field(default_factory=Placement)
    sidecars: tuple[Sidecar, ...] = ()


def build_scratch_mount(name: str, path: str, memory: bool = False) -> Mount:
    """Build a writable folder that goes with the pod."""
    source: Manifest = {"medium": "Memory", "sizeLimit": "1Mi"} if memory else {}
    return Mount(path, {"name": name, "emptyDir": source})


def build_config_mount(name: str, path: str, config_map: str, optional: bool = False) -> Mount:
    """Build a read-only folder with the files of a ConfigMap."""
    source: Manifest = {"name": config_map, "defaultMode": _CONFIG_FILE_MODE}
    if optional:
        source["optional"] = True  # the pod starts without it, and sees it once it is there
    return Mount(path, {"name": name, "configMap": source}, read_only=True)


def build_claim_mount(name: str, path: str, claim: str, read_only: bool) -> Mount:
    """Build a folder on a volume claim."""
    return Mount(path, {"name": name, "persistentVolumeClaim": {"claimName": claim}}, read_only)


def build_pod_template(part: Part, pod: Pod, revision: str) -> Manifest:
    """Build the template; it changes only when the component's own revision does."""
    spec = build_pod_spec(pod)
    spec |= build_placement(part.owner, build_selector(part.owner, part.component), pod.placement)
    metadata = {
        "labels": {**build_part_labels(part), **build_placement_labels(pod.placement)},
        "annotations": {REVISION_ANNOTATION: revision},
    }
    return {"metadata": metadata, "spec": spec}


def build_pod_spec(pod: Pod) -> Manifest:
    """Build the spec of a pod, but for where it runs."""
    mounts = (*pod.mounts, *_common_mounts(pod.secret_files, SECRETS_VOLUME))
    beside = {each.name: _sidecar_mounts(each) for each in pod.sidecars}
    sidecars = [_build_sidecar(each, beside[each.name]) for each in pod.sidecars]
    spec: Manifest = {
        "containers": [_build_container(CONTAINER_NAME, pod.container, mounts)],
        "securityContext": _build_pod_security(pod),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": pod.grace_seconds,
        "volumes": _unique_volumes(chain(mounts, *beside.values())),
    }
    if sidecars:
        spec["initContainers"] = sidecars
    if pod.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in pod.pull_secrets]
    return spec


def _common_mounts(files: tuple[SecretFile, ...], volume: str) -> tuple[Mount, ...]:
    tmp = build_scratch_mount("tmp", TMP_PATH)
    return (tmp, _build_secrets_mount(files, volume)) if files else (tmp,)


def _sidecar_mounts(sidecar: Sidecar) -> tuple[Mount, ...]:
    secrets = f"{SECRETS_VOLUME}-{sidecar.name}"
    return (*sidecar.mounts, *_common_mounts(sidecar.secret_files, secrets))


def _build_sidecar(sidecar: Sidecar, mounts: tuple[Mount, ...]) -> Manifest:
    manifest = _build_container(sidecar.name, sidecar.container, mounts)
    user = {"runAsUser": sidecar.user, "runAsGroup": sidecar.group}
    security = {**manifest["securityContext"], **user}
    # An init container that is restarted runs beside the others, and its end is not waited for.
    return {**manifest, "securityContext": security, "restartPolicy": "Always"}


def _build_secrets_mount(files: tuple[SecretFile, ...], volume: str) -> Mount:
    # One projected volume: however many Secrets, all are below one folder.
    sources = [_build_secret_source(file) for file in sorted(set(files), key=lambda f: f.path)]
    projected = {"sources": sources, "defaultMode": _SECRET_FILE_MODE}
    return Mount(SECRETS_PATH, {"name": volume, "projected": projected}, read_only=True)


def _build_secret_source(file: SecretFile) -> Manifest:
    source: Manifest = {"name": file.secret, "items": [{"key": file.key, "path": file.path}]}
    return {"secret": source | {"optional": True} if file.optional else source}


def _unique_volumes(mounts: Iterable[Mount]) -> list[Manifest]:
    # A volume claim template is mounted by name alone: the StatefulSet brings its source.
    by_name = {mount.volume["name"]: mount.volume for mount in mounts if len(mount.volume) > 1}
    return list(by_name.values())


def _build_container(name: str, container: Container, mounts: tuple[Mount, ...]) -> Manifest:
    manifest: Manifest = {
        "name": name,
        "image": container.image,
        "imagePullPolicy": container.pull_policy or _default_pull_policy(container.image),
        "command": list(container.command),
        "args": list(container.args),
        "env": list(container.env),
        "ports": [
            {"name": name, "containerPort": port, "protocol": "TCP"}
            for name, port in container.ports.items()
        ],
        "resources": container.resources,
        "volumeMounts": [_build_mount(mount) for mount in mounts],
        "securityContext": build_container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",  # the last words go into the status
        **container.probes,
    }
    return {name: value for name, value in manifest.items() if value not in (None, [], {})}


def _default_pull_policy(image: str) -> str:
    """Return what the API server would set for this image.

    It sets it once: a template that left it out would keep that of the image before.
    """
    _, digest_mark, _ = image.partition("@")
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if not digest_mark and tag in ("", "latest") else "IfNotPresent"


def _build_mount(mount: Mount) -> Manifest:
    manifest: Manifest = {"name": mount.volume["name"], "mountPath": mount.path}
    return manifest | {"readOnly": True} if mount.read_only else manifest


def _build_pod_security(pod: Pod) -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": pod.user,
        "runAsGroup": pod.group,
        "fsGroup": pod.group,
        # Without this the kubelet walks a whole database at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def build_container_security() -> Manifest:
    """Build what every container may do: nothing that the restricted profile does not."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
