"""Whether the API server's refusal names the field, and whether a status says how it ended."""

import re
from collections.abc import Iterable
from typing import Any

from mutation.changes import Spec

Object = dict[str, Any]
# What these say passes by itself: as an end they explain nothing.
_PASSING = frozenset(
    {
        "PodsStarting",
        "Progressing",
        "ReplacingWorkload",
        "Retrying",
        "WaitingForDependency",
        "WaitingForOptionalDependency",
    }
)
# What the change of a rollout's own fields makes it wait for: a person, or the bake time.
_HELD = frozenset({"Baking", "WaitingForApproval", "BackupNotTaken"})
_STEP = re.compile(r"[.\[\]]+")
_PATH = re.compile(r"\bspec[.\[\]\w-]*")


def names_a_field(answer: Object, changed: Iterable[str]) -> bool:
    """Tell whether a refusal names one of the changed fields, one around or below it.

    `changed` are lines `path: from -> to`. A rule between two fields may be reported at the other
    one: its own words, paths aside, name the changed one then, the list around it, or its value.
    """
    causes = answer.get("details", {}).get("causes") or ()
    message = answer.get("message", "")
    said = [cause.get("field", "") for cause in causes]
    said += _PATH.findall(message)
    named = [steps for steps in map(_steps, said) if len(steps) > 1]
    words = set(re.findall(r"\w+", _PATH.sub(" ", message)))
    return any(
        bool(words & {*_last_names(path), _enumerated(line)})
        or any(_related(field, _steps(path)) for field in named)
        for line in changed
        for path in (line.partition(": ")[0],)
    )


def _steps(path: str) -> list[str]:
    return [step for step in _STEP.split(path) if step]


def _last_names(path: str) -> list[str]:
    """Return the name of a field, and of the list of a component that it is in."""
    names = [step for step in _steps(path) if not step.isdigit()]
    return [names[-1], names[-1].removesuffix("s"), *names[2:-1]]


def _enumerated(line: str) -> str:
    """Return the new value when it is one of a few words, which no other field has."""
    found = re.search(r" -> '([A-Z][a-z]+[A-Z]\w+)'$", line)
    return found[1] if found else ""


def _related(named: list[str], changed: list[str]) -> bool:
    shared = min(len(named), len(changed))
    return named[:shared] == changed[:shared]


def judge(system: Object) -> str:
    """Return how a system ended at its present generation; nothing while it has not."""
    spec: Spec = system["spec"]
    generation = system["metadata"]["generation"]
    conditions = {each["type"]: each for each in system.get("status", {}).get("conditions") or ()}
    found = {
        kind: each
        for kind, each in conditions.items()
        if each.get("observedGeneration") == generation
    }
    ready, stalled = found.get("Ready"), found.get("Stalled")
    if stalled and stalled["status"] == "True":
        return "Stalled" if stalled["reason"] and stalled["message"] else ""
    if spec.get("paused"):
        return "Paused" if found.get("Reconciling", {}).get("reason") == "Paused" else ""
    if ready is None:
        return ""
    if ready["status"] == "True":
        return "Ready"
    told = ready["reason"] not in _PASSING and bool(ready["message"])
    if ready["reason"] == "Hibernated":
        return "Hibernated" if found["Reconciling"]["status"] == "False" else ""
    ending = "Held" if ready["reason"] in _HELD else "pods fail"
    return ending if told else ""


def describe(system: Object | None) -> str:
    """Return a system's status in short."""
    if system is None:
        return "it is not there"
    status = system.get("status", {})
    lines = [f"generation {system['metadata']['generation']}"]
    for each in status.get("conditions") or ():
        of = each.get("observedGeneration")
        lines.append(
            f"{each['type']}={each['status']} ({of}) {each['reason']}: {each['message'][:400]}"
        )
    for each in status.get("components") or ():
        lines.append(
            f"component {each['name']}: {each['state']} {each['ready']}/{each['desired']} "
            f"{each['revision']} {each.get('reason', '')}: {each.get('message', '')[:300]}"
        )
    return "\n    ".join(lines)
