"""The folder outside the tree where built images are kept, each under the key of its content."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from images.progress import say


@dataclass(frozen=True)
class Cache:
    """Paths below the cache folder; nothing is made before it is needed."""

    root: Path

    @property
    def unfinished(self) -> Path:
        """Where things are made before they are moved to their place in one step."""
        return self.root / "unfinished"

    @property
    def storage(self) -> Path:
        """The builder's own layer store."""
        return self.root / "storage"

    @property
    def blobs(self) -> Path:
        """The blobs of all layouts, each once; the layouts hold hard links."""
        return self.root / "blobs"

    def layout(self, name: str, key: str) -> Path:
        """The OCI layout of an image."""
        return self.root / name / key

    def rootfs(self, name: str, key: str) -> Path:
        """The unpacked root file system of an image."""
        return self.root / "rootfs" / f"{name}-{key}"

    def log(self, name: str) -> Path:
        """What the latest build of an image printed."""
        return self.root / "logs" / f"{name}.log"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the cache alone: two builds at once would undo each other's unfinished work."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Waiting for another build of images to finish ...")
                fcntl.flock(lock, fcntl.LOCK_EX)
            # Commands inherit it: one that outlives a killed build still holds the cache.
            os.set_inheritable(lock.fileno(), True)
            yield

    def discard_unfinished(self) -> None:
        """Remove what a killed build left; call it with the lock held."""
        if self.unfinished.exists():
            shutil.rmtree(self.unfinished)

    @contextlib.contextmanager
    def publish(self, target: Path) -> Iterator[Path]:
        """Give a path to make something at; it appears as `target` only when all went well."""
        self.unfinished.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.unfinished))
        try:
            yield folder / "made"
            target.parent.mkdir(parents=True, exist_ok=True)
            (folder / "made").rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def read_cache() -> Cache:
    """The cache that TRADING_OPERATOR_CACHE names, or the one in the home folder."""
    home = os.environ.get("TRADING_OPERATOR_CACHE") or "~/.cache/trading-operator"
    return Cache(Path(home).expanduser().resolve() / "images")
