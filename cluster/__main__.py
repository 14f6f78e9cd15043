"""The command line: `python3 -m cluster COMMAND`."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cluster import api, packages, tools
from cluster.errors import ClusterError
from cluster.layout import PROFILES
from cluster.progress import Progress
from cluster.providers import AUTO, PROVIDERS, Provider, build_provider, exclusive


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--profile", choices=sorted(PROFILES), default="node")
    common.add_argument("--provider", choices=(AUTO, *PROVIDERS), default=AUTO)
    parser = argparse.ArgumentParser(prog="python3 -m cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, text) in COMMANDS.items():
        command = commands.add_parser(name, parents=[common], help=text)
        if name == "setup":
            only = "only what makes virtual environments of Python"
            command.add_argument("--only-venv", action="store_true", help=only)
        if name == "up":
            command.add_argument("--fake-nodes", type=int, default=api.DEFAULT_FAKE_NODES)
        if name == "load-images":
            command.add_argument("layouts", type=Path, nargs="+", metavar="LAYOUT")
    return parser.parse_args(arguments)


def _provider(chosen: argparse.Namespace) -> Provider:
    return build_provider(chosen.provider, PROFILES[chosen.profile], Progress(1))


def set_up(chosen: argparse.Namespace) -> int:
    """Install packages and build programs."""
    if chosen.only_venv:
        missing = packages.read_missing_programs(packages.MODULES)
        packages.install_packages(packages.plan_packages(missing))
        return 0
    with exclusive(PROFILES[chosen.profile]):
        _provider(chosen).setup()
        tools.ensure_test_programs(Progress(len(tools.TEST_MODULES)))
    return 0


def start(chosen: argparse.Namespace) -> int:
    """Start a cluster and say how to reach it."""
    started = time.monotonic()
    handle = api.ensure_up(chosen.profile, chosen.provider, chosen.fake_nodes)
    print(f"cluster {chosen.profile} is up ({time.monotonic() - started:.1f} s)", file=sys.stderr)
    print(f"export KUBECONFIG={handle.kubeconfig}", file=sys.stderr)
    return 0


def end(chosen: argparse.Namespace) -> int:
    """End a cluster."""
    with Progress(1).step(f"ending cluster {chosen.profile} and removing its traces"):
        api.stop(chosen.profile, chosen.provider)
    return 0


def show_status(chosen: argparse.Namespace) -> int:
    """Print what runs; ends with 1 unless all is well."""
    status = _provider(chosen).status()
    print("\n".join([*status.lines, "healthy" if status.healthy else "not healthy"]))
    return 0 if status.healthy else 1


def show_kubeconfig(chosen: argparse.Namespace) -> int:
    """Print the kubeconfig's path."""
    print(_provider(chosen).kubeconfig())
    return 0


def load_images(chosen: argparse.Namespace) -> int:
    """Import images."""
    api.load_images(chosen.layouts, chosen.provider)
    return 0


def show_environment(chosen: argparse.Namespace) -> int:
    """Print shell lines that make kubectl and helm serve this cluster."""
    print(f'export PATH="{tools.find_tools()}:$PATH"')
    print(f'export KUBECONFIG="{_provider(chosen).kubeconfig()}"')
    return 0


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "setup": (set_up, "install packages and build the programs that are missing"),
    "up": (start, "start the cluster, or repair it, or do nothing if it is healthy"),
    "down": (end, "end the cluster and leave nothing behind"),
    "status": (show_status, "list the parts and whether all is well"),
    "kubeconfig": (show_kubeconfig, "print the path of the kubeconfig"),
    "load-images": (load_images, "import OCI layout folders into the node"),
    "env": (show_environment, "print exports of PATH and KUBECONFIG for a shell"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    chosen = parse_arguments(arguments)
    try:
        return COMMANDS[chosen.command][0](chosen)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"error: {error}; the embedded cluster belongs to root: use sudo", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; `python3 -m cluster down` removes what was started", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
