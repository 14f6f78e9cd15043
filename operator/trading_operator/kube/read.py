"""Gathers what a plan starts from."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading_operator.kube.access import FOREIGN_SECONDS, Kube
from trading_operator.kube.cache import Key
from trading_operator.kube.errors import ApiError
from trading_operator.kube.resources import BY_KIND, SECRETS, TRADING_SYSTEMS
from trading_operator.kube.transport import Call
from trading_operator.manifests.metadata import MANAGED_BY, OPERATOR_NAME, PART_OF
from trading_operator.plan.references import References
from trading_operator.plan.types import Observed, Owner, Ref


@dataclass(frozen=True)
class Gathered:
    """The observed state, and for how many seconds its parts that are not watched hold."""

    observed: Observed
    fresh_for: float | None


def key_of(owner: Owner) -> Key:
    """Return the key of a system."""
    return Key(owner.namespace, owner.name)


async def read_observed(
    kube: Kube, owner: Owner, references: References, previous: Mapping[str, Any] | None
) -> Gathered:
    """Read the system's children from the cache and what is not watched from the API."""
    key = key_of(owner)
    children = kube.cache.children(key, owner.uid)
    for secret, workload in references.openers.items():
        if workload not in children:
            # A volume's first start decides by this Secret: no memory of a minute ago will do.
            kube.named.expire(SECRETS, owner.namespace, secret)
    named, classes, _ = await asyncio.gather(
        kube.named.read(owner.namespace, references.secrets, references.config_maps),
        kube.named.read_storage_classes(),
        _look_again_at_foreign(kube, owner),
    )
    children = kube.cache.children(key, owner.uid)
    foreign = kube.foreign.known(key)
    observed = Observed(
        children={ref: entry.manifest for ref, entry in children.items()},
        foreign=foreign,
        pods=kube.cache.pods(key),
        secrets=named.secrets,
        config_maps=frozenset(named.config_maps),
        config_digests={name: facts.digest for name, facts in named.config_maps.items()},
        storage_classes=classes.names,
        default_storage_class=classes.default,
        waiting_since=_waiting_since(previous),
    )
    return Gathered(observed, _soonest(named.fresh_for, FOREIGN_SECONDS if foreign else None))


async def owner_exists(kube: Kube, owner: Owner) -> bool:
    """Ask the API server whether the system is still there."""
    try:
        body = await kube.transport.send(Call("get", TRADING_SYSTEMS, owner.namespace, owner.name))
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    metadata = body["metadata"]
    return metadata["uid"] == owner.uid and "deletionTimestamp" not in metadata


async def _look_again_at_foreign(kube: Kube, owner: Owner) -> None:
    key = key_of(owner)
    for ref in kube.foreign.doubtful(key):
        if await _is_taken(kube, owner, ref):
            kube.foreign.add(key, ref)
        else:
            kube.foreign.drop(key, ref)


async def _is_taken(kube: Kube, owner: Owner, ref: Ref) -> bool:
    try:
        live = await kube.transport.send(Call("get", BY_KIND[ref.kind], owner.namespace, ref.name))
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    metadata = live["metadata"]
    labels = metadata.get("labels") or {}
    references = metadata.get("ownerReferences") or ()
    labelled = labels.get(MANAGED_BY) == OPERATOR_NAME and labels.get(PART_OF) == owner.name
    owned = any(reference.get("uid") == owner.uid for reference in references)
    return not (owned or (labelled and not references))


def _waiting_since(previous: Mapping[str, Any] | None) -> dict[str, str]:
    components = (previous or {}).get("components") or ()
    return {each["name"]: each["waitingSince"] for each in components if each.get("waitingSince")}


def _soonest(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)
