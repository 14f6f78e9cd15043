"""What in a cluster the demo made, by its label, and what it may remove there."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from demo.kubectl import CommandError, Tools

LABEL = "tradingoperator.io/demo"
LABELS = {LABEL: "true"}
NAMESPACE = "autonomous"
OPERATOR_NAMESPACE = "trading-operator"
RELEASE = "trading-operator"
DEFINITIONS = (
    "tradingsystems.tradingoperator.io",
    "backups.tradingoperator.io",
    "restores.tradingoperator.io",
    "modeltrainingjobs.tradingoperator.io",
)
GONE = ("--ignore-not-found", "--wait", "--timeout=120s")


@dataclass(frozen=True)
class Thing:
    """Something under a name that the demo uses, and whether the demo made it."""

    kind: str
    name: str
    ours: bool


def read_things(tools: Tools) -> list[Thing]:
    """Read what there is under the names that the demo uses."""
    things = [
        Thing(kind, name, is_labelled(json.loads(text)))
        for kind, name in (
            ("namespace", NAMESPACE),
            ("namespace", OPERATOR_NAMESPACE),
            *(("crd", definition) for definition in DEFINITIONS),
        )
        if (text := tools.run("kubectl", "get", kind, name, "-o", "json", "--ignore-not-found"))
    ]
    if RELEASE in read_releases(tools):
        ours = RELEASE in read_releases(tools, "--selector", f"{LABEL}=true")
        things.append(Thing("release", RELEASE, ours))
    return things


def read_releases(tools: Tools, *flags: str) -> list[str]:
    """Return the names of the releases in the operator's namespace, of any state."""
    listing = ("helm", "list", "-n", OPERATOR_NAMESPACE, "--short")
    return tools.run(*listing, *flags).split()


def is_labelled(found: dict[str, Any]) -> bool:
    """Tell whether an object carries the demo's label."""
    labels: dict[str, str] = found["metadata"].get("labels", {})
    return labels.get(LABEL) == "true"


def check_ours(things: Iterable[Thing]) -> None:
    """Raise CommandError when the demo would take over what somebody else made."""
    foreign = [f"{thing.kind} {thing.name}" for thing in things if not thing.ours]
    if foreign:
        raise CommandError(
            f"the current cluster has {', '.join(foreign)}, which this demo did not make (label "
            f"{LABEL} is missing), so nothing was changed. Use another cluster (for instance "
            "`make demo CLUSTER=embedded`), or follow docs/quickstart.md by hand"
        )


def read_elsewhere(tools: Tools, things: Iterable[Thing]) -> list[str]:
    """Return NAMESPACE/NAME of the trading systems, Backups and Restores of somebody else."""
    kept = {NAMESPACE} & {t.name for t in things if t.kind == "namespace" and t.ours}
    found = [
        item["metadata"]
        for thing in things
        if thing.kind == "crd"
        for item in tools.get(thing.name, "--all-namespaces")["items"]
    ]
    return [f"{at['namespace']}/{at['name']}" for at in found if at["namespace"] not in kept]


def plan_removal(things: Iterable[Thing], elsewhere: list[str]) -> list[tuple[str, ...]]:
    """Return the commands that remove what is the demo's, in order, and nothing else.

    The definitions go only when nothing of somebody else hangs on them: they would take it along.
    """
    commands = {
        ("namespace", NAMESPACE): ("kubectl", "delete", "namespace", NAMESPACE, *GONE),
        ("release", RELEASE): ("helm", "uninstall", RELEASE, "-n", OPERATOR_NAMESPACE),
        **{
            ("crd", definition): ("kubectl", "delete", "crd", definition, *GONE)
            for definition in DEFINITIONS
        },
        ("namespace", OPERATOR_NAMESPACE): (
            *("kubectl", "delete", "namespace", OPERATOR_NAMESPACE),
            *GONE,
        ),
    }
    ours = {(thing.kind, thing.name) for thing in things if thing.ours}
    if elsewhere:
        ours -= {("crd", definition) for definition in DEFINITIONS}
    return [command for key, command in commands.items() if key in ours]


def delete_demo(tools: Tools) -> None:
    """Remove what the demo made from a cluster that is not ours, and say what is kept."""
    things = read_things(tools)
    elsewhere = read_elsewhere(tools, things)
    for command in plan_removal(things, elsewhere):
        tools.run(*command, timeout=150)
    if elsewhere:
        print(f"Kept the CRDs: in use by {', '.join(elsewhere)}.")
    for thing in things:
        if not thing.ours:
            print(f"Kept {thing.kind} {thing.name}: the demo did not make it.")
