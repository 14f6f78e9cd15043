"""Writes a plan: the difference only, in parallel, then what has to go."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Entry, Id, version_of
from trading_operator.kube.errors import ApiError
from trading_operator.kube.ownership import is_left_over, is_ours
from trading_operator.kube.read import key_of
from trading_operator.kube.resources import BY_KIND, CLAIMS, CONFIG_MAPS, PODS, SECRETS
from trading_operator.kube.transport import (
    APPLY_PATCH,
    FIELD_MANAGER,
    JSON_PATCH,
    Call,
)
from trading_operator.manifests.compare import differs
from trading_operator.plan.types import (
    WORKLOAD_KINDS,
    Applied,
    Failure,
    Manifest,
    Observed,
    Owner,
    Plan,
    Ref,
    SecretRequest,
    ref_of,
)

# Pods name these in their spec and do not start, or start wrong, without them.
_MOUNTED = frozenset({CLAIMS.kind, CONFIG_MAPS.kind, SECRETS.kind})
# No answer, or too many requests: not about one object, so the others are not tried either.
_SERVER_TROUBLE = frozenset({0, 429})
_PASSWORD_BYTES = 32
_MANAGER = {"fieldManager": FIELD_MANAGER}

_log = logging.getLogger(__name__)


@dataclass
class _Pass:
    """One plan on its way to the API server."""

    kube: Kube
    owner: Owner
    observed: Observed
    children: dict[Ref, Manifest]
    failures: list[Failure] = field(default_factory=list)
    errors: list[ApiError] = field(default_factory=list)  # to be tried again soon
    absent: set[str] = field(default_factory=set)  # what pods mount and could not be made
    writes: int = 0


async def apply_plan(kube: Kube, owner: Owner, plan: Plan, observed: Observed) -> Applied:
    """Bring the cluster to the plan and return what is there then.

    What the API server refuses becomes a failure of the result; what may go well next time
    (conflicts, time-outs, overload) raises ApiError after every other object was written, and
    before anything is deleted.
    """
    run = _Pass(kube, owner, observed, dict(observed.children))
    made = (request.manifest for request in plan.generated_secrets)
    kube.refusals.keep_only(key_of(owner), (*map(ref_of, (*plan.objects, *made)), *plan.prune))
    # Pods need their configs, claims and Services before their workload makes them.
    first = [each for each in plan.objects if each["kind"] not in WORKLOAD_KINDS]
    workloads = [each for each in plan.objects if each["kind"] in WORKLOAD_KINDS]
    await _write_all(
        run,
        (
            *(_create_secret(run, request) for request in plan.generated_secrets),
            *(_put(run, manifest) for manifest in first),
        ),
    )
    # A volume whose first start sees no Secret would be opened by a password that nobody has.
    able = [each for each in workloads if run.absent.isdisjoint(_names(run, each.get("spec")))]
    await _write_all(run, (_put(run, manifest) for manifest in able))
    _raise_error(run.errors)
    await _write_all(
        run,
        (
            *(_prune(run, ref) for ref in plan.prune),
            *(_replace_pod(run, name) for name in plan.replace_pods),
        ),
    )
    _raise_error(run.errors)
    return Applied(plan, run.children, tuple(run.failures), run.writes)


async def _write_all(run: _Pass, writes: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*writes)
    _raise_error([error for error in run.errors if error.status in _SERVER_TROUBLE])


def _raise_error(errors: Sequence[ApiError]) -> None:
    if errors:
        raise errors[0]


def _names(run: _Pass, spec: Any) -> Iterator[str]:
    """Yield the texts of a workload's spec, the names of what its pods mount among them."""
    if not run.absent:
        return  # nothing to look for
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, dict | list):
        for each in spec.values() if isinstance(spec, dict) else spec:
            yield from _names(run, each)


async def _put(run: _Pass, manifest: Manifest) -> None:
    key, ref = key_of(run.owner), ref_of(manifest)
    live = run.observed.children.get(ref)
    if live is not None and not differs(manifest, live):
        run.kube.refusals.drop(key, ref)  # what was refused is not asked for any more
        return
    standing = run.kube.refusals.standing(key, ref, manifest)
    if standing is not None:
        run.failures.append(standing)
        _note_absent(run, ref)
        return
    try:
        written = await (_create(run, manifest) if live is None else _change(run, manifest, live))
    except ApiError as error:
        _note_error(run, ref, manifest, error)
        _note_absent(run, ref)
        return
    run.kube.refusals.drop(key, ref)
    run.children[ref] = written


def _note_absent(run: _Pass, ref: Ref) -> None:
    if ref.kind in _MOUNTED and ref not in run.observed.children:
        run.absent.add(ref.name)


def _note_error(run: _Pass, ref: Ref, manifest: Manifest, error: ApiError) -> None:
    if not error.refused:
        run.errors.append(error)
        return
    failure = run.kube.refusals.add(key_of(run.owner), ref, manifest, error)
    run.failures.append(failure)
    _log.log(
        error.log_level,
        "write refused",
        extra={"system": key_of(run.owner), "object": ref, "error": failure.message},
    )


async def _create(run: _Pass, manifest: Manifest) -> Manifest:
    """POST an object; one that is there already is taken over if it is ours."""
    resource = BY_KIND[manifest["kind"]]
    run.writes += 1
    try:
        created = await run.kube.transport.send(
            Call("create", resource, run.owner.namespace, body=manifest, params=_MANAGER)
        )
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        return await _take_over(run, manifest)
    return run.kube.cache.put(created, wake=False).manifest


async def _take_over(run: _Pass, manifest: Manifest) -> Manifest:
    ref = ref_of(manifest)
    live: Manifest = await run.kube.transport.send(
        Call("get", BY_KIND[ref.kind], run.owner.namespace, ref.name)
    )
    if is_ours(run.owner, manifest, live):
        # Our own POST whose answer was lost, or an object whose labels somebody removed.
        return await _change(run, manifest, run.kube.cache.put(live, wake=False).manifest)
    if is_left_over(run.owner, live):
        raise ApiError(409, "Conflict", f"the former {ref.kind} {ref.name} is not deleted yet")
    run.kube.foreign.add(key_of(run.owner), ref)
    message = (
        f"{ref.kind} {ref.name} exists and is not this system's: delete or rename it, "
        "or rename the component"
    )
    raise ApiError(400, "Foreign", message)


async def _change(run: _Pass, manifest: Manifest, live: Manifest) -> Manifest:
    """Change an object by server-side apply, from exactly the version that was planned from."""
    ref = ref_of(manifest)
    entry = run.kube.cache.get(Id(ref.kind, run.owner.namespace, ref.name))
    if entry is None or entry.version != version_of(live) or not differs(manifest, live):
        return live  # it moved meanwhile, and the next pass, which is due, sees how
    if "deletionTimestamp" in live["metadata"]:
        return live  # on its way out; it is made again when it is gone
    if run.kube.contests.is_contested(key_of(run.owner), ref, manifest):
        raise ApiError(400, "Contested", f"somebody else keeps changing {ref.kind} {ref.name}")
    version = await _become_applier(run, ref, entry)
    metadata = {**manifest["metadata"], "resourceVersion": str(version)}
    changed = await _patch(
        run, ref, APPLY_PATCH, {**manifest, "metadata": metadata}, {**_MANAGER, "force": "true"}
    )
    run.kube.contests.add(key_of(run.owner), ref, manifest)
    return changed


async def _become_applier(run: _Pass, ref: Ref, entry: Entry) -> int:
    """Turn our entry of a POSTed object into one of server-side apply; returns the new version.

    Without it the fields of the POST would belong to another manager than those of the apply,
    and what leaves the plan would stay.
    """
    if entry.update_entry is None:
        return entry.version
    patch = [
        # Replaced by its own value: a conflict unless it is still the same.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": str(entry.version)},
        {
            "op": "replace",
            "path": f"/metadata/managedFields/{entry.update_entry}/operation",
            "value": "Apply",
        },
    ]
    return version_of(await _patch(run, ref, JSON_PATCH, patch, {}))


async def _patch(
    run: _Pass, ref: Ref, content_type: str, body: object, params: dict[str, str]
) -> Manifest:
    run.writes += 1
    call = Call(
        "patch",
        BY_KIND[ref.kind],
        run.owner.namespace,
        ref.name,
        body=body,
        content_type=content_type,
        params=params,
    )
    return run.kube.cache.put(await run.kube.transport.send(call), wake=False).manifest


async def _create_secret(run: _Pass, request: SecretRequest) -> None:
    """Make a Secret with a new password; one that is there stays, it may open a volume."""
    key, ref = key_of(run.owner), ref_of(request.manifest)
    if ref.name in run.observed.secrets:
        run.kube.refusals.drop(key, ref)
        return
    standing = run.kube.refusals.standing(key, ref, request.manifest)
    if standing is not None:
        run.failures.append(standing)
        _note_absent(run, ref)
        return
    run.writes += 1
    call = Call("create", SECRETS, run.owner.namespace, body=_fill_secret(request), params=_MANAGER)
    try:
        run.kube.named.put(run.owner.namespace, await run.kube.transport.send(call))
    except ApiError as error:
        _note_absent(run, ref)  # if it is there, the next pass looks at what is in it
        if error.reason == "AlreadyExists":
            run.kube.named.expire(SECRETS, run.owner.namespace, ref.name)
        else:
            _note_error(run, ref, request.manifest, error)
        return
    run.kube.refusals.drop(key, ref)


def _fill_secret(request: SecretRequest) -> Manifest:
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    more = {key: text.replace("{password}", password) for key, text in request.fields.items()}
    values = {"username": request.username, "password": password, **more}
    return {**request.manifest, "stringData": values}


async def _prune(run: _Pass, ref: Ref) -> None:
    live = run.observed.children.get(ref)
    if ref.kind == CLAIMS.kind or live is None or "deletionTimestamp" in live["metadata"]:
        run.kube.refusals.drop(key_of(run.owner), ref)
        return  # never a volume claim: whatever the plan says, data stays
    metadata = live["metadata"]
    preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    try:
        await _delete(run, ref, preconditions)
    except ApiError as error:
        if error.status != 404:
            _note_error(run, ref, live, error)
            return
    run.kube.refusals.drop(key_of(run.owner), ref)
    run.kube.cache.remove(live, expected=True)
    run.children.pop(ref, None)


async def _replace_pod(run: _Pass, name: str) -> None:
    entry = run.kube.cache.get(Id(PODS.kind, run.owner.namespace, name))
    if entry is None or entry.facts is None or entry.facts.deleting:
        return
    try:
        await _delete(run, Ref(PODS.kind, name), {"uid": entry.uid})
    except ApiError as error:
        if error.status not in (404, 409):  # gone, or another pod of the name by now
            _note_error(run, Ref(PODS.kind, name), {}, error)


async def _delete(run: _Pass, ref: Ref, preconditions: dict[str, str]) -> None:
    run.writes += 1
    resource = PODS if ref.kind == PODS.kind else BY_KIND[ref.kind]
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": preconditions,
        "propagationPolicy": "Background",
    }
    await run.kube.transport.send(
        Call("delete", resource, run.owner.namespace, ref.name, body=body)
    )
