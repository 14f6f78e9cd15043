"""Deletes what has to go: exactly the object that was planned from, and no other."""

from trading_operator.kube.attempt import Attempt, note_error
from trading_operator.kube.cache import Id
from trading_operator.kube.errors import ApiError
from trading_operator.kube.read import key_of, read_owner
from trading_operator.kube.resources import BY_KIND, CLAIMS, JOBS, PODS
from trading_operator.kube.transport import Call
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import WORKLOAD_KINDS, Manifest

BACKGROUND = "Background"
FOREGROUND = "Foreground"  # it stays, in deletion, until all that it made is gone
ORPHAN = "Orphan"  # what an object made stays, without an owner
_NEVER_DELETED = frozenset({CLAIMS.kind, JOBS.kind})


async def prune(attempt: Attempt, ref: Ref) -> None:
    """Delete a child that nothing needs any more, exactly as it was when that was planned."""
    live = attempt.observed.children.get(ref)
    if ref.kind == CLAIMS.kind or live is None or "deletionTimestamp" in live["metadata"]:
        attempt.kube.refusals.drop(key_of(attempt.owner), ref)
        return  # never a volume claim: whatever the plan says, data stays
    metadata = live["metadata"]
    preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    try:
        answer = await delete_object(attempt, ref, preconditions, _propagation(live))
    except ApiError as error:
        if error.status != 404:
            note_error(attempt, ref, live, error)
            return
        answer = {}
    attempt.kube.refusals.drop(key_of(attempt.owner), ref)
    # Of a Service that is gone the server answers the last that it was, not a Status.
    if "deletionTimestamp" in answer.get("metadata", {}):
        attempt.children[ref] = attempt.kube.cache.put(answer, wake=False).manifest
        return  # on its way out
    attempt.kube.cache.remove(live, expected=True)
    attempt.children.pop(ref, None)


async def delete_left_over(attempt: Attempt, ref: Ref, live: Manifest) -> None:
    """Delete what a former system of the same name left: the garbage collector, whose work it is,
    may be minutes late, and this system would wait for it.

    Never a claim, nor a Job, which the operator may not delete; nothing before the API server has
    said that this is the system of today.
    """
    if ref.kind in _NEVER_DELETED or "deletionTimestamp" in live["metadata"]:
        return
    if await read_owner(attempt.kube, attempt.owner) is None:
        return
    metadata = live["metadata"]
    preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    try:
        await delete_object(attempt, ref, preconditions, _propagation(live))
    except ApiError as error:
        if error.status not in {404, 409}:  # gone, or changed since
            raise


def _propagation(live: Manifest) -> str:
    """Return what becomes of what a child made: it goes as well, but never data.

    Where somebody let the claims go with a StatefulSet, all that it made is left: the next pass
    deletes its pods. A workload stays to be seen until its pods are gone: what must not run beside
    them waits for it, also while its ReplicaSet may still make one.
    """
    policy = live.get("spec", {}).get("persistentVolumeClaimRetentionPolicy") or {}
    if policy.get("whenDeleted") == "Delete":
        return ORPHAN
    return FOREGROUND if live["kind"] in {*WORKLOAD_KINDS, JOBS.kind} else BACKGROUND


async def replace_pod(attempt: Attempt, name: str) -> None:
    """Delete a pod that runs an old template, whose StatefulSet makes the new one, or one that
    its StatefulSet left behind.

    That one may have been taken over meanwhile, so it goes as it was seen or not at all.
    """
    entry = attempt.kube.cache.get(Id(PODS.kind, attempt.owner.namespace, name))
    if entry is None or entry.facts is None or entry.facts.deleting:
        return
    preconditions, over = {"uid": entry.uid}, {404, 409}  # gone, or another one of the name by now
    if any(pod.name == name and not pod.controlled for pod in attempt.observed.pods):
        if entry.facts.controlled:
            return
        preconditions["resourceVersion"], over = str(entry.version), {404}
    try:
        answer = await delete_object(attempt, Ref(PODS.kind, name), preconditions)
    except ApiError as error:
        if error.status not in over:
            note_error(attempt, Ref(PODS.kind, name), {}, error)
        return
    if "deletionTimestamp" in answer.get("metadata", {}):
        # The next pass may come before the watch says so.
        attempt.kube.cache.put(answer, wake=False)


async def delete_object(
    attempt: Attempt, ref: Ref, preconditions: dict[str, str], propagation: str = BACKGROUND
) -> Manifest:
    """Delete an object if it still is what was planned from, and return the answer: the object
    while it waits for what it made. Raises ApiError.
    """
    attempt.writes += 1
    resource = PODS if ref.kind == PODS.kind else BY_KIND[ref.kind]
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": preconditions,
        "propagationPolicy": propagation,
    }
    answer: Manifest = await attempt.kube.transport.send(
        Call("delete", resource, attempt.owner.namespace, ref.name, body=body)
    )
    return answer
