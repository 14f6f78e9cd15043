"""Build what changed, in order, and leave everything else alone."""

import fcntl
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images.builders import Builder, Job
from images.cache import Cache
from images.catalogue import DEBIAN, REPOSITORY, Image, select_images
from images.context import Recipe, compute_key, read_recipe, write_context
from images.layout import read_size, share_blobs, unpack
from images.progress import open_log, say, step

MEGABYTE = 1_000_000
# Layers, layouts and one unpacked image; a full disk half-way would waste minutes.
NEEDED_BYTES = 4_000 * MEGABYTE
ON_REQUEST_BYTES = 25_000 * MEGABYTE  # PyTorch and CUDA's libraries: as packages, layer and layout


@dataclass(frozen=True)
class Planned:
    """An image with the recipe and key that its files have now."""

    image: Image
    recipe: Recipe
    key: str


def plan_images(names: Sequence[str], base_key: str) -> list[Planned]:
    """The named images and their bases, each with its key, in building order."""
    keys = {DEBIAN: base_key}
    planned: list[Planned] = []
    for image in select_images(list(names)):
        recipe = read_recipe(REPOSITORY, image.containerfile, keys[image.base])
        keys[image.name] = compute_key(REPOSITORY, recipe)
        planned.append(Planned(image, recipe, keys[image.name]))
    return planned


def build_images(names: Sequence[str], builder: Builder, cache: Cache) -> list[Path]:
    """Build the named images and their bases where their content is new; give their layouts."""
    started = time.monotonic()
    planned = plan_images(names, builder.base_key())
    if any(not _layout(cache, item).exists() for item in planned):
        with cache.locked():
            _build_missing(planned, builder, cache)
    else:
        say(f"Images: {len(planned)} up to date ({time.monotonic() - started:.1f} s)")
    return [_layout(cache, item) for item in planned if not names or item.image.name in names]


def _count_needed(missing: Sequence[Planned]) -> int:
    large = sum(item.image.on_request for item in missing)
    return large * ON_REQUEST_BYTES + (NEEDED_BYTES if missing else 0)


def _layout(cache: Cache, item: Planned) -> Path:
    return cache.layout(item.image.name, item.key)


def _build_missing(planned: list[Planned], builder: Builder, cache: Cache) -> None:
    # Looked at again: another build may have made them while this one waited for the lock.
    missing = [item for item in planned if not _layout(cache, item).exists()]
    cache.discard_unfinished()
    needed = _count_needed(missing)
    if shutil.disk_usage(cache.root).free < needed:
        raise OSError(
            f"{cache.root} needs {needed // MEGABYTE} MB free: make room there, "
            "or set TRADING_OPERATOR_CACHE to a folder on another disk"
        )
    builder.prepare(open_log(cache.log("prepare")))
    debian = cache.layout(DEBIAN, builder.base_key())
    total = len(missing) + (not debian.exists())
    if not debian.exists():
        _build_debian(f"[1/{total}]", builder, cache, debian)
    for number, item in enumerate(missing, start=1 + total - len(missing)):
        _build_one(f"[{number}/{total}]", item, builder, cache)
    say(f"Images: {len(missing)} built, {len(planned) - len(missing)} up to date")


def _build_debian(label: str, builder: Builder, cache: Cache, layout: Path) -> None:
    with step(label, "Bootstrapping Debian (once; needed by every image)") as notes:
        log = open_log(cache.log(DEBIAN))
        with cache.publish(layout) as unfinished:
            if not builder.build_debian(unfinished, log):
                unfinished.mkdir()
                notes.append("taken from the registry")
                return
            share_blobs(unfinished, cache.blobs)
        notes.append(f"{read_size(layout) // MEGABYTE} MB")


def _build_one(label: str, item: Planned, builder: Builder, cache: Cache) -> None:
    with step(label, f"Building {item.image.reference}") as notes:
        log = open_log(cache.log(item.image.name))
        layout = _layout(cache, item)
        with cache.publish(layout) as unfinished:
            context = unfinished.with_name("context")
            write_context(REPOSITORY, item.recipe, context)
            job = Job(item.image, context, item.recipe.base_key, item.key)
            builder.build(job, unfinished, log)
            share_blobs(unfinished, cache.blobs)
        notes.append(f"{read_size(layout) // MEGABYTE} MB")


def make_rootfs(name: str, builder: Builder, cache: Cache) -> tuple[Path, Path]:
    """The unpacked root file system and the layout of one image, built if need be."""
    [layout] = build_images([name], builder, cache)
    target = cache.rootfs(name, layout.name)
    if not target.exists():
        with cache.locked():
            if not target.exists():
                with step("[1/1]", f"Unpacking {name}"), cache.publish(target) as unfinished:
                    unpack(layout, unfinished)
                discard_older(target, name)
    return target, layout


def discard_older(target: Path, name: str) -> None:
    """Remove what was unpacked from older builds of an image."""
    for path in target.parent.glob(f"{name}-*"):
        if path != target and len(path.name) == len(target.name):
            remove_unless_running(path)


def remove_unless_running(path: Path) -> bool:
    """Remove a folder that no sandbox holds; tell whether it was removed."""
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
    except BlockingIOError:
        return False
    finally:
        os.close(folder)
    return True


def prune(builder: Builder, cache: Cache) -> list[str]:
    """Remove layouts, root file systems and layers of older sources; give what was removed."""
    kept = {cache.layout(DEBIAN, builder.base_key())}
    for item in plan_images([], builder.base_key()):
        kept |= {_layout(cache, item), cache.rootfs(item.image.name, item.key)}
    with cache.locked():
        cache.discard_unfinished()
        folders = [cache.root / "rootfs", *(path.parent for path in kept)]
        found = {path for folder in folders if folder.exists() for path in folder.iterdir()}
        stale = sorted(found - kept - {cache.root / "rootfs"})
        removed = [path for path in stale if remove_unless_running(path)]
        for blob in cache.blobs.glob("*"):
            if blob.stat().st_nlink == 1:
                blob.unlink()
        builder.prune(open_log(cache.log("prune")))
    return [str(path) for path in removed]
