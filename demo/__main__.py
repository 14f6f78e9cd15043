"""`python3 -m demo up|down`: the README's main job. Standard library only."""

import argparse
import sys

from cluster.errors import ClusterError
from demo.kubectl import CommandError
from demo.steps import bring_down, bring_up


def main() -> int:
    """Run the demo and return the exit status."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument(
        "--cluster",
        default="auto",
        choices=("auto", "current", "kind", "embedded"),
        help="auto takes the one in use, kind where Docker and kind are, else the embedded one",
    )
    parser.add_argument(
        "--images",
        default="",
        metavar="PREFIX",
        help="registry and path of the images, such as registry.example/trading (current only)",
    )
    arguments = parser.parse_args()
    try:
        if arguments.action == "up":
            bring_up(arguments.cluster, arguments.images)
        else:
            bring_down(arguments.cluster)
    except (CommandError, ClusterError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped half-way. `make demo` goes on, `make demo-down` cleans up.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
