"""Deletes what has to go: exactly the object that was planned from, and no other."""

from trading_operator.kube.attempt import Attempt, note_error
from trading_operator.kube.cache import Id
from trading_operator.kube.errors import ApiError
from trading_operator.kube.read import key_of
from trading_operator.kube.resources import BY_KIND, CLAIMS, PODS
from trading_operator.kube.transport import Call
from trading_operator.plan.types import Ref

BACKGROUND = "Background"
ORPHAN = "Orphan"  # what an object made stays, without an owner


async def prune(attempt: Attempt, ref: Ref) -> None:
    """Delete a child that nothing needs any more, exactly as it was when that was planned."""
    live = attempt.observed.children.get(ref)
    if ref.kind == CLAIMS.kind or live is None or "deletionTimestamp" in live["metadata"]:
        attempt.kube.refusals.drop(key_of(attempt.owner), ref)
        return  # never a volume claim: whatever the plan says, data stays
    metadata = live["metadata"]
    preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    try:
        await delete_object(attempt, ref, preconditions)
    except ApiError as error:
        if error.status != 404:
            note_error(attempt, ref, live, error)
            return
    attempt.kube.refusals.drop(key_of(attempt.owner), ref)
    attempt.kube.cache.remove(live, expected=True)
    attempt.children.pop(ref, None)


async def replace_pod(attempt: Attempt, name: str) -> None:
    """Delete a pod that runs an old template; its StatefulSet makes the new one."""
    entry = attempt.kube.cache.get(Id(PODS.kind, attempt.owner.namespace, name))
    if entry is None or entry.facts is None or entry.facts.deleting:
        return
    try:
        await delete_object(attempt, Ref(PODS.kind, name), {"uid": entry.uid})
    except ApiError as error:
        if error.status not in (404, 409):  # gone, or another pod of the name by now
            note_error(attempt, Ref(PODS.kind, name), {}, error)


async def delete_object(
    attempt: Attempt, ref: Ref, preconditions: dict[str, str], propagation: str = BACKGROUND
) -> None:
    """Delete an object if it still is what was planned from. Raises ApiError."""
    attempt.writes += 1
    resource = PODS if ref.kind == PODS.kind else BY_KIND[ref.kind]
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": preconditions,
        "propagationPolicy": propagation,
    }
    await attempt.kube.transport.send(
        Call("delete", resource, attempt.owner.namespace, ref.name, body=body)
    )
