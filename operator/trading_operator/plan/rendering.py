"""Stored renderings: what was rendered of a component stays while what decides it does.

Another version of the operator renders the same spec otherwise. It keeps up what was stored all
the same, so that its installation restarts no pod; a new rendering comes with a component's next
change, or with all of them when the command `adopt-rendering` asks for it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trading_operator.manifests.digest import digest_of
from trading_operator.manifests.metadata import VERSION, Manifest
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.inputs import asked_inputs, component_inputs, lacks_inputs
from trading_operator.plan.observed import StoredRevision
from trading_operator.plan.rollout.stored_spec import returned_part, stored_spec
from trading_operator.plan.stored_revision import Rendering, newest_first, unpack, unpack_data

ADOPT_COMMAND = "adopt-rendering"


@dataclass(frozen=True)
class Renderings:
    """The drafts as they are kept up, and the revision that they make together."""

    drafts: Mapping[str, Draft]
    digest: str
    data: Mapping[str, Any]  # what is stored of it
    adopted: str  # value of the command that adopted the renderings, "" for none


def keep_renderings(system: System, drafts: Mapping[str, Draft]) -> Renderings:
    """Return the drafts with their stored pod templates, and what is to be stored."""
    stored = newest_first(system.observed)
    adopted, adopts = _adoption(system, stored)
    shelf = _Shelf(
        each for each in stored if stored and each.state.adopted == stored[0].state.adopted
    )
    kept = {
        name: _keep(system, draft, _find(system, draft, shelf), adopts)
        for name, draft in drafts.items()
    }
    renderings = {name: rendering for name, (_, rendering) in kept.items()}
    digests = sorted((name, *each[:2]) for name, each in renderings.items())
    spec = stored_spec(system.owner, system.spec)
    return Renderings(
        drafts={name: draft for name, (draft, _) in kept.items()},
        digest=digest_of([digests, returned_part(spec)]),
        data={"components": {n: each._asdict() for n, each in renderings.items()}, "spec": spec},
        adopted=adopted,
    )


def restore_renderings(
    stored: StoredRevision, digest: str, drafts: Mapping[str, Draft]
) -> Renderings:
    """Return the drafts of a stored revision with the pod templates that it has."""
    renderings = unpack(stored)
    kept = {
        name: _with_rendering(draft, renderings[name])
        for name, draft in drafts.items()
        if name in renderings
    }
    return Renderings(kept, digest, unpack_data(stored), stored.state.adopted)


def _adoption(system: System, stored: Sequence[StoredRevision]) -> tuple[str, bool]:
    """Return the command's value that the revision is for, and whether it is a new one.

    A command that was taken back after it was handled asks for nothing.
    """
    asked = system.owner.commands.get(ADOPT_COMMAND, "")
    if not stored:
        return asked, False
    before = stored[0].state.adopted
    return asked or before, asked not in ("", before)


class _Shelf:
    """Renderings by component; a revision is unpacked when no newer one has what is sought."""

    def __init__(self, revisions: Iterable[StoredRevision]) -> None:
        self._packed = iter(list(revisions))
        self._open: list[Mapping[str, Rendering]] = []

    def find(self, component: str, suits: Callable[[Rendering], bool]) -> Rendering | None:
        """Return the newest rendering of a component that suits."""
        found = (renderings.get(component) for renderings in self._all())
        return next((each for each in found if each is not None and suits(each)), None)

    def _all(self) -> Iterator[Mapping[str, Rendering]]:
        yield from self._open
        for stored in self._packed:
            self._open.append(unpack(stored))
            yield self._open[-1]


def _find(system: System, draft: Draft, shelf: _Shelf) -> Rendering | None:
    component = system.components[draft.name]
    if lacks_inputs(system, component):
        # A Secret that is away for a moment is no other Secret: what the spec says decides alone.
        asked = asked_inputs(system, component)
        return shelf.find(draft.name, lambda each: each.asked == asked)
    inputs = component_inputs(system, component)
    return shelf.find(draft.name, lambda each: each.inputs == inputs)


def _keep(
    system: System, draft: Draft, stored: Rendering | None, adopts: bool
) -> tuple[Draft, Rendering]:
    # What has one revision has one rendering: labels alone are no reason to roll.
    if stored is not None and not (adopts and stored.revision != draft.revision):
        return _with_rendering(draft, stored), stored
    component = system.components[draft.name]
    return draft, Rendering(
        inputs=component_inputs(system, component),
        revision=draft.revision,
        template=draft.workload["spec"]["template"],
        asked=asked_inputs(system, component),
    )


def _with_rendering(draft: Draft, stored: Rendering) -> Draft:
    workload, template = draft.workload, stored.template
    labels = {**workload["metadata"]["labels"]}
    version = (template["metadata"].get("labels") or {}).get(VERSION)
    if version is not None:
        labels[VERSION] = version  # of what runs, not of what this operator would run
    return replace(
        draft,
        revision=stored.revision,
        ports=template_ports(template),
        workload={
            **workload,
            "metadata": {**workload["metadata"], "labels": labels},
            "spec": {**workload["spec"], "template": template},
        },
    )


def template_ports(template: Manifest) -> dict[str, int]:
    """Return the named ports of a pod template."""
    containers = template["spec"].get("containers") or ()
    return {
        port["name"]: port["containerPort"]
        for container in containers
        for port in container.get("ports") or ()
        if "name" in port
    }
