"""Draws a TradingSystem as a tree of its components in start order. Pure."""

from typing import Any

MARKS = {"Ready": "●", "Starting": "◐", "Waiting": "○", "Blocked": "✖", "Degraded": "▲"}
COLOURS = {"Ready": 32, "Starting": 33, "Waiting": 90, "Blocked": 31, "Degraded": 31}
UNKNOWN = {"state": "Waiting", "ready": 0, "desired": 1, "message": "not looked at yet"}


def components_of(system: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the datastores and services of the spec."""
    spec = system["spec"]
    return [*spec.get("datastores", []), *spec.get("services", [])]


def depths(system: dict[str, Any]) -> dict[str, int]:
    """Return each component's distance from a component that needs nothing."""
    needs = {c["name"]: [d["name"] for d in c.get("dependsOn", [])] for c in components_of(system)}
    found: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in found:
            found[name] = max((depth(need) + 1 for need in needs[name]), default=0)
        return found[name]

    for name in needs:
        depth(name)
    return found


def build_lines(system: dict[str, Any], *, colour: bool = False) -> list[str]:
    """Build one line per component, indented by its place in the start order."""
    status = {line["name"]: line for line in system.get("status", {}).get("components", [])}
    by_depth = sorted(depths(system).items(), key=lambda item: item[1])
    width = max((2 * depth + len(name) for name, depth in by_depth), default=0) + 2
    return [
        build_line(name, depth, width, status.get(name, UNKNOWN), colour=colour)
        for name, depth in by_depth
    ]


def build_line(
    name: str, depth: int, width: int, line: dict[str, Any], *, colour: bool = False
) -> str:
    """Build the line of one component: mark, name, pods, state and why it waits."""
    state = line["state"]
    branch = "  " * max(depth - 1, 0) + ("└─" if depth else "")
    mark = MARKS[state]
    if colour:
        mark = f"\033[{COLOURS[state]}m{mark}\033[0m"
    text = f"{branch}{mark} {name}"
    padding = " " * max(1, width + 4 - len(branch) - len(name) - 2)
    message = f"  {line['message']}" if line.get("message") and state != "Ready" else ""
    return f"  {text}{padding}{line['ready']}/{line['desired']}  {state}{message}"
