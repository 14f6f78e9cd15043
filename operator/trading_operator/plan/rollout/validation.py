"""Whether a change can be carried out here and now: everything that speaks against it, at once."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from trading_operator.api.reasons import (
    INVALID_IMAGE,
    QUOTA_EXCEEDED,
    RISKY_PARAMETERS,
    WAITING_FOR_REMOVAL,
)
from trading_operator.engines import ENGINES
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.rollout.capacity import find_misfits, find_shortages
from trading_operator.plan.types import Block
from trading_operator.plan.validation import find_blocks

# As container runtimes read it: registry, repository in lower case, tag, digest.
_IMAGE = re.compile(
    r"^([a-zA-Z0-9.-]+(:[0-9]+)?/)?"
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)


class Problem(NamedTuple):
    """Something that keeps a component of the spec from being carried out."""

    component: str
    block: Block


@dataclass(frozen=True)
class Assessment:
    """What is to be said of a spec before it is carried out."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    def of(self, component: str) -> Block | None:
        """Return the first problem of a component."""
        return next((each.block for each in self.problems if each.component == component), None)


NOTHING_AGAINST = Assessment()


def assess(system: System, drafts: Mapping[str, Draft], changed: frozenset[str]) -> Assessment:
    """Return everything that speaks against a spec. Capacity is looked at for a change alone."""
    problems = [
        Problem(draft.name, block) for draft in drafts.values() for block in _blocks(system, draft)
    ]
    problems += (
        Problem(name, Block(QUOTA_EXCEEDED, message))
        for name, message in find_shortages(system, drafts, changed)
    )
    return Assessment(tuple(problems), tuple(find_misfits(system, drafts, changed)))


def _blocks(system: System, draft: Draft) -> Iterator[Block]:
    # What is on its way out is waited for, not mended.
    yield from (
        block for block in find_blocks(system, draft) if block.reason != WAITING_FOR_REMOVAL
    )
    image = draft.workload["spec"]["template"]["spec"]["containers"][0]["image"]
    if not _IMAGE.match(image):
        yield Block(
            INVALID_IMAGE,
            f"{draft.path}.image: {image} is no image name: write registry/repository:tag or "
            "registry/repository@sha256:<64 digits>, the repository in lower case",
        )


def find_risks(system: System) -> Iterator[str]:
    """Yield a warning for each setting of a database that may not fit into its memory."""
    for at, store in enumerate(system.spec.datastores):
        for risk in ENGINES[store.engine].find_risks(store, f"datastores[{at}]"):
            yield f"{RISKY_PARAMETERS}: {risk}"
