"""The command line: python3 -m images build | layouts | rootfs | run | prune | lock."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from images.build import build_images, make_rootfs, plan_images, prune
from images.builders import BuilderMissingError, choose_builder
from images.cache import read_cache
from images.catalogue import IMAGES
from images.layout import read_config
from images.lock import LockError, lock_requirements
from images.progress import StepError
from images.sandbox import Sandbox


def _build(options: argparse.Namespace) -> int:
    cache = read_cache()
    build_images(options.names, choose_builder(options.builder, cache), cache)
    return 0


def _layouts(options: argparse.Namespace) -> int:
    cache = read_cache()
    planned = plan_images(options.names, choose_builder(options.builder, cache).base_key())
    layouts = {item.image.name: cache.layout(item.image.name, item.key) for item in planned}
    wanted = options.names or list(layouts)
    missing = [name for name in wanted if not layouts[name].exists()]
    if missing:
        print(f"not built yet: run python3 -m images build {' '.join(missing)}", file=sys.stderr)
        return 1
    print("\n".join(str(layouts[name]) for name in wanted))
    return 0


def _rootfs(options: argparse.Namespace) -> int:
    cache = read_cache()
    print(make_rootfs(options.name, choose_builder(options.builder, cache), cache)[0])
    return 0


def _run(options: argparse.Namespace) -> int:
    cache = read_cache()
    rootfs, layout = make_rootfs(options.name, choose_builder(options.builder, cache), cache)
    mounts = dict(reversed(item.split(":", 1)) for item in options.mount)
    config = read_config(layout)
    if options.entrypoint:
        config = replace(config, entrypoint=(options.entrypoint,), command=())
    sandbox = Sandbox(
        rootfs,
        config,
        mounts={inside: Path(here).absolute() for inside, here in mounts.items()},
        environment=dict(item.split("=", 1) for item in options.env),
    )
    return sandbox.run(options.arguments)


def _lock(options: argparse.Namespace) -> int:
    lock_requirements(options.upgrade)
    return 0


def _prune(options: argparse.Namespace) -> int:
    cache = read_cache()
    builder = choose_builder(options.builder, cache)
    print("\n".join(prune(builder, cache)) or "nothing to prune")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    parser = argparse.ArgumentParser(prog="python3 -m images", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    every = ", ".join(image.name for image in IMAGES)
    for name, action, summary in (
        ("build", _build, "build what changed into the cache"),
        ("layouts", _layouts, "print the OCI layout of each image"),
        ("rootfs", _rootfs, "print the unpacked root file system of an image"),
        ("run", _run, "run an image's entry point without a cluster, until SIGTERM"),
        ("prune", _prune, "remove what was built from older sources"),
        ("lock", _lock, "write requirements/*.txt anew from the *.in files"),
    ):
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(action=action)
        if name == "lock":
            command.add_argument("--upgrade", action="store_true", help="take newer versions")
        else:
            command.add_argument("--builder", choices=("buildah", "docker"))
        if name in ("build", "layouts"):
            command.add_argument("names", nargs="*", metavar="NAME", help=f"of {every}; or all")
        if name in ("rootfs", "run"):
            command.add_argument("name", metavar="NAME", help=f"one of {every}")
        if name == "run":
            _add_run_arguments(command)
    return parser


def _add_run_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--mount", action="append", default=[], metavar="HERE:INSIDE")
    command.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    command.add_argument("--entrypoint", metavar="PROGRAM", help="run this one instead")
    command.epilog = "What follows -- goes to the image's entry point."


def main() -> int:
    """Run one command; give the exit code."""
    # Split here: argparse hands what follows -- to the first list of positionals it meets.
    words = [*sys.argv[1:], "--"]
    options = build_parser().parse_args(words[: words.index("--")])
    options.arguments = words[words.index("--") + 1 : -1]
    try:
        code: int = options.action(options)
    except (StepError, BuilderMissingError, LockError, OSError, ValueError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
