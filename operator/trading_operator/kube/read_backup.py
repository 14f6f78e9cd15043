"""Gathers what the plan of a Backup starts from."""

import asyncio
from collections.abc import Mapping
from typing import Any

from trading_operator.api.backup import BackupSpec
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.kube.access import FOREIGN_SECONDS, Kube
from trading_operator.kube.job_facts import read_job_facts
from trading_operator.kube.read import (
    Gathered,
    key_of,
    look_again_at_foreign,
    read_revisions,
    soonest,
)
from trading_operator.kube.resources import CLAIMS, JOBS, SECRETS
from trading_operator.manifests.metadata import Owner, child_name
from trading_operator.plan.backup.case import JobFacts, Source
from trading_operator.plan.backup.repository import claim_name, password_file, secrets_of
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.rollout.stored_spec import restore_spec
from trading_operator.plan.stored_revision import spec_of
from trading_operator.plan.types import STATEFUL_SET

_TARGETS = frozenset({STATEFUL_SET, CLAIMS.kind})


async def read_backup(kube: Kube, owner: Owner, spec: BackupSpec) -> Gathered:
    """Read the children from the cache, and by name what is not watched. Raises ApiError."""
    key = key_of(owner)
    children = kube.cache.children(key, owner.uid)
    if Ref(CLAIMS.kind, claim_name(owner)) not in children:
        # The first run decides by this Secret: no memory of a minute ago will do.
        kube.named.expire(SECRETS, owner.namespace, password_file(owner, spec).secret)
    named, classes, _ = await asyncio.gather(
        kube.named.read(owner.namespace, secrets_of(owner, spec), ()),
        kube.named.read_storage_classes(),
        look_again_at_foreign(kube, owner),
    )
    foreign = kube.foreign.known(key)
    observed = Observed(
        children={
            ref: entry.manifest for ref, entry in kube.cache.children(key, owner.uid).items()
        },
        foreign=foreign,
        secrets=named.secrets,
        storage_classes=classes.names,
        default_storage_class=classes.default,
    )
    return Gathered(observed, soonest(named.fresh_for, FOREIGN_SECONDS if foreign else None))


def read_children(kube: Kube, owner: Owner) -> Observed:
    """Return the children of a resource that needs nothing which is not watched."""
    key = key_of(owner)
    children = kube.cache.children(key, owner.uid)
    manifests = {ref: entry.manifest for ref, entry in children.items()}
    return Observed(children=manifests, foreign=kube.foreign.known(key))


def read_jobs(kube: Kube, owner: Owner) -> tuple[JobFacts, ...]:
    """Return the Jobs of a Backup or a Restore, with what their pods say."""
    key = key_of(owner)
    pods = kube.cache.pods(key)
    jobs = kube.cache.offspring(key, owner.uid, JOBS.kind)
    found = (read_job_facts(job, pods) for job in jobs)
    return tuple(sorted(found, key=lambda each: (each.created_at, each.name)))


def read_source(
    kube: Kube, owner: Owner, spec: TradingSystemSpec, status: Mapping[str, Any] | None
) -> Source:
    """Return a system as it is kept up now: a change that is held has made nothing yet."""
    name = child_name(owner, (status or {}).get("revision", ""))
    stored = next((each for each in read_revisions(kube, owner) if each.name == name), None)
    kept_up = None if stored is None else restore_spec(spec_of(stored), spec)
    children = kube.cache.children(key_of(owner), owner.uid)
    return Source(
        owner,
        kept_up or spec,
        {ref: entry.manifest for ref, entry in children.items() if ref.kind in _TARGETS},
    )
