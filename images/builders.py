"""The two ways to turn a Containerfile into an OCI layout: buildah, or Docker where it runs."""

import hashlib
import os
import shutil
import ssl
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from images.cache import Cache
from images.catalogue import BY_NAME, DEBIAN, Image
from images.debian import SUITE, compute_debian_key, make_rootfs
from images.layout import link_blobs, unpack_layers, write_reference
from images.progress import Log

NEEDED_TOOLS = {"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux"}
LOCAL = "localhost/trading-operator"
PROBE_SECONDS = 10
# LAYOUT, REFERENCE in it, NAME to give.
LOAD_SCRIPT = 'set -e; tar -C "$1" -c . | docker load; docker tag "$2" "$3"'


class BuilderMissingError(Exception):
    """No way to build images here; the message says what to install."""


@dataclass(frozen=True)
class Job:
    """One image to build: its prepared context, and the key its base was built under."""

    image: Image
    context: Path
    base_key: str
    key: str


class Builder(Protocol):
    """What the build needs of a tool."""

    def base_key(self) -> str:
        """The key of the Debian base."""
        ...

    def prepare(self, log: Log) -> None:
        """Sweep what a killed run left in the tool's own store."""
        ...

    def prune(self, log: Log) -> None:
        """Empty the tool's own store, where it is only a cache of this project."""
        ...

    def build_debian(self, layout: Path, log: Log) -> bool:
        """Make the Debian base as a layout; False when the tool takes it from a registry."""
        ...

    def build(self, job: Job, layout: Path, log: Log) -> None:
        """Build one image and write it as a layout."""
        ...


def _secret_options() -> list[str]:
    """Hand the machine's certificates to pip for the build only, as proxies need it."""
    named = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    bundle = Path(named or "/etc/ssl/certs/ca-certificates.crt")
    return ["--secret", f"id=ca,src={bundle}"] if bundle.is_file() else []


def build_options(job: Job, name: str, base: str | None) -> list[str]:
    """What both tools are asked for; without a base the Containerfile's own one is taken."""
    chosen = [] if base is None else [f"--build-arg=BASE={base}"]
    file = ["--file", str(job.image.containerfile), str(job.context)]
    return [*chosen, *_secret_options(), "--tag", name, *file]


@dataclass(frozen=True)
class Buildah:
    """Builds as root without an engine and without a registry, in a store inside the cache."""

    cache: Cache

    def base_key(self) -> str:
        """The key of the Debian base, which is made here."""
        return compute_debian_key()

    def prepare(self, log: Log) -> None:
        """Remove working containers, with their mounts, that a killed run left."""
        log.run([*self._command(), "rm", "--all"])

    def prune(self, log: Log) -> None:
        """Drop every layer: bases are read back from their layouts when next needed."""
        log.run([*self._command(), "rmi", "--all", "--force"])

    def build_debian(self, layout: Path, log: Log) -> bool:
        """Bootstrap Debian beside the layout and commit it as one layer."""
        rootfs = layout.with_name("rootfs")
        make_rootfs(rootfs, log)
        name, container = f"{LOCAL}/{DEBIAN}:{self.base_key()}", "debian-base"
        log.run([*self._command(), "from", "--name", container, "scratch"])
        log.run([*self._command(), "add", "--quiet", container, str(rootfs), "/"])
        log.run([*self._command(), "commit", "--quiet", "--rm", container, name])
        self._write_layout(name, layout, f"docker.io/library/debian:{SUITE}-slim", log)
        return True

    def build(self, job: Job, layout: Path, log: Log) -> None:
        """Build with the layer cache on, so that a changed file redoes only what follows it."""
        base = self._load(job.image.base, job.base_key, log)
        name = f"{LOCAL}/{job.image.name}:{job.key}"
        options = ["--isolation", "chroot", "--layers", "--format", "oci", "--pull-never"]
        log.run([*self._command(), "bud", *options, *build_options(job, name, base)])
        self._write_layout(name, layout, job.image.reference, log)

    def _command(self) -> list[str]:
        # What is mounted now: of this store alone, and gone with a reboot.
        name = hashlib.sha256(str(self.cache.root).encode()).hexdigest()[:12]
        run_root = f"/run/trading-operator-images/{name}"
        return ["buildah", "--root", str(self.cache.storage), "--runroot", run_root]

    def _load(self, name: str, key: str, log: Log) -> str:
        """The local name of a base, read back from its layout if the store has lost it."""
        local = f"{LOCAL}/{name}:{key}"
        known = [*self._command(), "inspect", "--type", "image", local]
        if subprocess.run(known, capture_output=True, check=False).returncode:
            container = f"load-{name}"
            with self._plain_path(self.cache.layout(name, key)) as source:
                log.run([*self._command(), "from", "--name", container, f"oci:{source}"])
            log.run([*self._command(), "commit", "--quiet", "--rm", container, local])
        return local

    @contextmanager
    def _plain_path(self, layout: Path) -> Iterator[Path]:
        """A path to a layout that buildah can make a name of: no folder of it is hidden."""
        link = Path(f"/run/trading-operator-layout-{os.getpid()}")
        link.unlink(missing_ok=True)
        link.symlink_to(layout)
        try:
            yield link
        finally:
            link.unlink()

    def _write_layout(self, name: str, layout: Path, reference: str, log: Log) -> None:
        link_blobs(self.cache.blobs, layout)
        target = f"oci:{layout}:{reference}"
        log.run([*self._command(), "push", "--quiet", "--format", "oci", name, target])
        unpack_layers(layout)


@dataclass(frozen=True)
class Docker:
    """Builds with a running Docker engine, on Debian's image from the registry."""

    cache: Cache

    def base_key(self) -> str:
        """The key of the base; the engine keeps the image that it pulled."""
        return f"registry-{compute_debian_key()}"

    def prepare(self, log: Log) -> None:
        """Nothing to do: the engine sweeps for itself."""

    def prune(self, log: Log) -> None:
        """Nothing to do: the engine's store belongs to its owner."""

    def build_debian(self, layout: Path, log: Log) -> bool:
        """Nothing to do: the engine pulls it."""
        return False

    def build(self, job: Job, layout: Path, log: Log) -> None:
        """Build in the engine and save the image as a layout; needs Docker 25 or newer."""
        name = f"{LOCAL}/{job.image.name}:{job.key}"
        options = build_options(job, name, self._load(job, log))
        log.run(["docker", "build", "--tag", job.image.reference, *options])
        archive = layout.with_name("image.tar")
        log.run(["docker", "save", "--output", str(archive), job.image.reference])
        unpack_archive(archive, layout, job.image.reference)
        unpack_layers(layout)

    def _load(self, job: Job, log: Log) -> str | None:
        """The name of a base made here, read back from its layout if the engine lost it."""
        if job.image.base == DEBIAN:
            return None
        base = BY_NAME[job.image.base]
        local = f"{LOCAL}/{base.name}:{job.base_key}"
        known = ["docker", "image", "inspect", local]
        if subprocess.run(known, capture_output=True, check=False).returncode:
            layout = str(self.cache.layout(base.name, job.base_key))
            log.run(["sh", "-c", LOAD_SCRIPT, "sh", layout, base.reference, local])
        return local


def unpack_archive(archive: Path, layout: Path, reference: str) -> None:
    """Turn what Docker saved into a layout that carries the full name."""
    with tarfile.open(archive) as tar:
        tar.extractall(layout, filter="data")
    archive.unlink()
    if not (layout / "oci-layout").exists():
        raise BuilderMissingError("docker save wrote no OCI layout: update Docker to 25 or newer")
    write_reference(layout, reference)


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        command = ["docker", "info", "--format", "{{.ServerVersion}}"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


def choose_builder(wanted: str | None, cache: Cache) -> Builder:
    """Docker if its engine answers, else buildah; raise BuilderMissingError with the mend."""
    if wanted == "docker" or (wanted is None and _docker_answers()):
        return Docker(cache)
    missing = [package for tool, package in NEEDED_TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise BuilderMissingError(
            f"run: apt-get install --no-install-recommends {' '.join(missing)}"
        )
    if os.geteuid() != 0:
        raise BuilderMissingError(
            "building without Docker needs root: run it as root, or start Docker"
        )
    return Buildah(cache)
