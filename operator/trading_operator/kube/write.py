"""Writes one object: makes it, or changes what differs."""

from trading_operator.api.trading_system import KIND as TRADING_SYSTEM
from trading_operator.kube.attempt import Attempt, note_absent, note_error
from trading_operator.kube.cache import Entry, Id, version_of
from trading_operator.kube.contested_fields import describe_contest
from trading_operator.kube.errors import INVALID, ApiError
from trading_operator.kube.overwrite import overwrite_spec
from trading_operator.kube.ownership import is_labelled, is_left_over, is_ours
from trading_operator.kube.patches import guard, patch_object
from trading_operator.kube.read import key_of
from trading_operator.kube.remove import delete_left_over
from trading_operator.kube.resources import BY_KIND, CHILDREN, CLAIMS, CONFIG_MAPS, REVISIONS
from trading_operator.kube.revision_data import with_canonical_data
from trading_operator.kube.transport import (
    APPLY_PATCH,
    FIELD_MANAGER,
    JSON_PATCH,
    MERGE_PATCH,
    Call,
)
from trading_operator.manifests.compare import differs
from trading_operator.manifests.digest import digest_of
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.types import Manifest

_MANAGER = {"fieldManager": FIELD_MANAGER}
# Kinds whose whole spec is the plan's: what is missing in it the server fills in or keeps.
_OVERWRITTEN = frozenset(
    resource.kind for resource in CHILDREN if resource not in (CLAIMS, CONFIG_MAPS, REVISIONS)
)


async def put(attempt: Attempt, manifest: Manifest) -> None:
    """Bring one object to what the plan wants; a settled one costs no request."""
    key, ref = key_of(attempt.owner), ref_of(manifest)
    live = attempt.observed.children.get(ref)
    if live is not None and not _has_drifted(attempt, manifest, live):
        attempt.kube.refusals.drop(key, ref)  # what was refused is not asked for any more
        return
    standing = attempt.kube.refusals.standing(key, ref, manifest)
    if standing is not None:
        attempt.failures.append(standing)
        note_absent(attempt, ref)
        return
    try:
        written = await (
            _create(attempt, manifest) if live is None else _change(attempt, manifest, live)
        )
    except ApiError as error:
        note_error(attempt, ref, manifest, error)
        note_absent(attempt, ref)
        return
    attempt.kube.refusals.drop(key, ref)
    attempt.children[ref] = written


def _has_drifted(attempt: Attempt, manifest: Manifest, live: Manifest) -> bool:
    """Tell whether an object differs from the plan; no version is compared twice with the same."""
    ref, wanted = ref_of(manifest), digest_of(manifest)
    entry = attempt.kube.cache.get(Id(ref.kind, attempt.owner.namespace, ref.name))
    if entry is not None and entry.agrees_with == wanted:
        return False
    if differs(manifest, live):
        return True
    if entry is not None and entry.version == version_of(live):
        entry.agrees_with = wanted
    return False


async def _create(attempt: Attempt, manifest: Manifest) -> Manifest:
    """POST an object; one that is there already is taken over if it is ours."""
    resource = BY_KIND[manifest["kind"]]
    attempt.writes += 1
    body = with_canonical_data(manifest) if resource == REVISIONS else manifest
    call = Call("create", resource, attempt.owner.namespace, body=body, params=_MANAGER)
    try:
        with attempt.kube.cache.own_write(manifest) as answer:
            return answer(await attempt.kube.transport.send(call)).manifest
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        return await _take_over(attempt, manifest)


async def _take_over(attempt: Attempt, manifest: Manifest) -> Manifest:
    ref = ref_of(manifest)
    live: Manifest = await attempt.kube.transport.send(
        Call("get", BY_KIND[ref.kind], attempt.owner.namespace, ref.name)
    )
    if ref.kind == CLAIMS.kind and is_ours(attempt.owner, manifest, live):
        attempt.kube.cache.put(live, wake=False)
        if is_labelled(attempt.owner, live):
            # What a claim is to be depends on what it is: it is planned again.
            raise ApiError(409, "Conflict", f"{ref.kind} {ref.name} was not seen before")
    if is_ours(attempt.owner, manifest, live):
        # Our own POST whose answer was lost, or an object whose labels somebody removed.
        return await _change(attempt, manifest, attempt.kube.cache.put(live, wake=False).manifest)
    if is_left_over(attempt.owner, live):
        await delete_left_over(attempt, ref, live)
        raise ApiError(409, "Conflict", f"the former {ref.kind} {ref.name} is not deleted yet")
    attempt.kube.foreign.add(key_of(attempt.owner), ref)
    is_system = attempt.owner.kind == TRADING_SYSTEM
    whose, mend = ("system", "component") if is_system else (attempt.owner.kind, attempt.owner.kind)
    message = (
        f"{ref.kind} {ref.name} exists and is not this {whose}'s: delete or rename it, "
        f"or rename the {mend}"
    )
    raise ApiError(400, "Foreign", message)


async def _change(attempt: Attempt, manifest: Manifest, live: Manifest) -> Manifest:
    """Change an object by server-side apply, from exactly the version that was planned from."""
    ref = ref_of(manifest)
    entry = attempt.kube.cache.get(Id(ref.kind, attempt.owner.namespace, ref.name))
    if entry is None or entry.version != version_of(live) or not differs(manifest, live):
        return live  # it moved meanwhile, and the next pass, which is due, sees how
    if "deletionTimestamp" in live["metadata"]:
        return live  # on its way out; it is made again when it is gone
    if attempt.kube.contests.give_up_if_contested(key_of(attempt.owner), ref, manifest):
        raise ApiError(400, "Contested", await describe_contest(attempt, manifest))
    if ref.kind == REVISIONS.kind:
        return await _change_revision(attempt, manifest, entry)
    try:
        changed = await _apply(attempt, manifest, entry)
    except ApiError as error:
        current = attempt.kube.cache.get(Id(ref.kind, attempt.owner.namespace, ref.name))
        if error.status != INVALID or current is None or ref.kind not in _OVERWRITTEN:
            raise
        changed = await _apply(attempt, manifest, await overwrite_spec(attempt, manifest, current))
    attempt.kube.contests.add(key_of(attempt.owner), ref, manifest)
    if ref.kind == CLAIMS.kind:
        return await _settle_claim(attempt, manifest, changed)
    return changed


async def _apply(attempt: Attempt, manifest: Manifest, entry: Entry) -> Manifest:
    ref = ref_of(manifest)
    version = await _become_applier(attempt, ref, entry)
    metadata = {**manifest["metadata"], "resourceVersion": str(version)}
    body, params = {**manifest, "metadata": metadata}, {**_MANAGER, "force": "true"}
    return (await patch_object(attempt, ref, APPLY_PATCH, body, params)).manifest


async def _change_revision(attempt: Attempt, manifest: Manifest, entry: Entry) -> Manifest:
    """Change what is around the data: that is immutable, and an apply would write it again."""
    ref = ref_of(manifest)
    patch = {name: value for name, value in manifest.items() if name != "data"}
    patch["metadata"] = {**manifest["metadata"], "resourceVersion": str(entry.version)}
    changed = await patch_object(attempt, ref, MERGE_PATCH, patch, _MANAGER)
    attempt.kube.contests.add(key_of(attempt.owner), ref, manifest)
    return changed.manifest


async def _settle_claim(attempt: Attempt, manifest: Manifest, live: Manifest) -> Manifest:
    """Take the references of the system and of its parts off a claim that is to outlive them,
    whoever put them there.

    An apply takes back only what it has set itself.
    """
    metadata = live["metadata"]
    references = metadata.get("ownerReferences") or ()
    kept = [each for each in references if not _is_ours_too(attempt, each)]
    if manifest["metadata"]["ownerReferences"] or len(kept) == len(references):
        return live
    patch = [
        guard(metadata["resourceVersion"]),
        {"op": "replace", "path": "/metadata/ownerReferences", "value": kept},
    ]
    return (await patch_object(attempt, ref_of(manifest), JSON_PATCH, patch, _MANAGER)).manifest


def _is_ours_too(attempt: Attempt, reference: Manifest) -> bool:
    """Tell whether an owner is the system, or a workload or pod of it."""
    if reference["uid"] == attempt.owner.uid:
        return True
    place = Id(reference["kind"], attempt.owner.namespace, reference["name"])
    entry = attempt.kube.cache.get(place)
    return entry is not None and (entry.uid, entry.system) == (
        reference["uid"],
        key_of(attempt.owner),
    )


async def _become_applier(attempt: Attempt, ref: Ref, entry: Entry) -> int:
    """Turn our entry of a POSTed object into one of server-side apply; returns the new version.

    Without it the fields of the POST would belong to another manager than those of the apply,
    and what leaves the plan would stay.
    """
    if entry.update_entry is None:
        return entry.version
    path = f"/metadata/managedFields/{entry.update_entry}/operation"
    patch = [guard(entry.version), {"op": "replace", "path": path, "value": "Apply"}]
    return (await patch_object(attempt, ref, JSON_PATCH, patch, _MANAGER)).version
