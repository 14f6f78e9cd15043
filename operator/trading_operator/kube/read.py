"""Gathers what a plan starts from."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic.alias_generators import to_camel

from trading_operator.kube.access import FOREIGN_SECONDS, Kube
from trading_operator.kube.cache import Entry, Key
from trading_operator.kube.errors import ApiError
from trading_operator.kube.named import ConfigFacts, config_facts
from trading_operator.kube.ownership import is_labelled, is_owned
from trading_operator.kube.resources import BY_KIND, CONFIG_MAPS, OWN_BY_KIND, SECRETS
from trading_operator.kube.transport import Call
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.observed import Observed, Ref, RolloutFacts, StoredRevision
from trading_operator.plan.references import References
from trading_operator.plan.rollout.commands import HANDLED
from trading_operator.plan.stored_revision import read_revision
from trading_operator.plan.types import WORKLOAD_KINDS, Manifest, Owner
from trading_operator.plan.volumes import data_claim_name

_HANDLED = {name: to_camel(name.replace("-", "_")) for name in HANDLED}


@dataclass(frozen=True)
class Gathered:
    """The observed state, and for how many seconds its parts that are not watched hold."""

    observed: Observed
    fresh_for: float | None


def key_of(owner: Owner) -> Key:
    """Return the key of a resource of ours."""
    return Key(owner.namespace, owner.name, owner.kind)


async def read_observed(
    kube: Kube, owner: Owner, references: References, previous: Mapping[str, Any] | None
) -> Gathered:
    """Read the system's children from the cache and what is not watched from the API."""
    key = key_of(owner)
    children = kube.cache.children(key, owner.uid)
    for secret, workload in references.openers.items():
        claim = Ref(CLAIM_KIND, data_claim_name(workload.name))
        if not {workload, claim} <= children.keys():
            # A volume's first start decides by this Secret: no memory of a minute ago will do.
            kube.named.expire(SECRETS, owner.namespace, secret)
    ours = _own_configs(children, references)
    named, classes, _ = await asyncio.gather(
        kube.named.read(owner.namespace, references.secrets, references.config_maps - ours.keys()),
        kube.named.read_storage_classes(),
        look_again_at_foreign(kube, owner),
    )
    children = kube.cache.children(key, owner.uid)
    foreign, configs = kube.foreign.known(key), {**named.config_maps, **ours}
    observed = Observed(
        children={ref: entry.manifest for ref, entry in children.items()},
        foreign=foreign,
        pods=kube.cache.pods(key),
        revisions=_revisions(kube, owner, children.values()),
        secrets=named.secrets,
        config_maps=frozenset(configs),
        config_digests={name: facts.digest for name, facts in configs.items()},
        storage_classes=classes.names,
        default_storage_class=classes.default,
        fixed_classes=classes.fixed,
        waiting_since=_told(previous, "waitingSince"),
        opened=_told(previous, "volumeUid"),
        rollout=_rollout(previous),
    )
    return Gathered(observed, soonest(named.fresh_for, FOREIGN_SECONDS if foreign else None))


def _own_configs(children: Mapping[Ref, Entry], references: References) -> dict[str, ConfigFacts]:
    """Return the facts of the ConfigMaps that are watched: a former revision names its own ones."""
    return {
        ref.name: config_facts(entry.manifest)
        for ref, entry in children.items()
        if ref.kind == CONFIG_MAPS.kind and ref.name in references.config_maps
    }


def read_revisions(kube: Kube, owner: Owner) -> Sequence[StoredRevision]:
    """Return the stored revisions of a system, newest first."""
    children = kube.cache.children(key_of(owner), owner.uid)
    found = _revisions(kube, owner, children.values())
    return sorted(found, key=lambda each: each.number, reverse=True)


def _revisions(kube: Kube, owner: Owner, children: Iterable[Entry]) -> tuple[StoredRevision, ...]:
    return kube.revisions.complete(key_of(owner), owner.uid, _read(owner, children))


def _read(owner: Owner, children: Iterable[Entry]) -> Iterator[StoredRevision]:
    for entry in children:
        if entry.packed is not None and is_owned(owner, entry.manifest):
            yield read_revision(entry.manifest, entry.packed)


async def read_owner(kube: Kube, owner: Owner) -> Mapping[str, Any] | None:
    """Ask the API server for the owner as it is; None when it is gone. Raises ApiError."""
    resource = OWN_BY_KIND[owner.kind]
    try:
        body = await kube.transport.send(Call("get", resource, owner.namespace, owner.name))
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return body if body["metadata"]["uid"] == owner.uid else None


async def were_freed(kube: Kube, owner: Owner) -> bool:
    """Tell whether a workload that is known as the system's own is that no more. Raises ApiError.

    Who deletes a system and asks for orphans has its children freed before the system goes on, but
    the watch of the children may be behind that of the system.
    """
    for ref, entry in kube.cache.children(key_of(owner), owner.uid).items():
        if ref.kind in WORKLOAD_KINDS and is_owned(owner, entry.manifest):
            live = await _read_live(kube, owner, ref)
            if live is not None:
                return not is_owned(owner, live)
    return False


async def look_again_at_foreign(kube: Kube, owner: Owner) -> None:
    """Ask whether names that somebody else had are still taken. Raises ApiError."""
    key = key_of(owner)
    for ref in kube.foreign.doubtful(key):
        if await _is_taken(kube, owner, ref):
            kube.foreign.add(key, ref)
        else:
            kube.foreign.drop(key, ref)


async def _is_taken(kube: Kube, owner: Owner, ref: Ref) -> bool:
    live = await _read_live(kube, owner, ref)
    if live is None:
        return False
    references = live["metadata"].get("ownerReferences") or ()
    return not (is_owned(owner, live) or (is_labelled(owner, live) and not references))


async def _read_live(kube: Kube, owner: Owner, ref: Ref) -> Manifest | None:
    try:
        found: Manifest = await kube.transport.send(
            Call("get", BY_KIND[ref.kind], owner.namespace, ref.name)
        )
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return found


def _told(previous: Mapping[str, Any] | None, field: str) -> dict[str, str]:
    components = (previous or {}).get("components") or ()
    return {each["name"]: each[field] for each in components if each.get(field)}


def _rollout(previous: Mapping[str, Any] | None) -> RolloutFacts:
    status = previous or {}
    told, handled = status.get("rollout") or {}, status.get("handled") or {}
    return RolloutFacts(
        phase=told.get("phase", ""),
        # While a change is held or has gone back, the times are those of what is kept up.
        revision=status.get("revision", ""),
        asked=told.get("revision", ""),
        since=told.get("since", ""),
        progressed_at=told.get("progressedAt", ""),
        ready=told.get("ready", 0),
        baking_since=told.get("bakingSince", ""),
        handled={name: handled[field] for name, field in _HANDLED.items() if handled.get(field)},
    )


def soonest(*seconds: float | None) -> float | None:
    """Return the shortest of several waits, of which None is no wait at all."""
    return min((each for each in seconds if each is not None), default=None)
