"""Deletes a StatefulSet without its pods, so that another one takes them over."""

from trading_operator.kube.attempt import Attempt, note_error
from trading_operator.kube.contested_fields import describe_contest
from trading_operator.kube.errors import ApiError
from trading_operator.kube.read import key_of
from trading_operator.kube.remove import ORPHAN, delete_object
from trading_operator.kube.resources import BY_KIND
from trading_operator.kube.transport import FIELD_MANAGER, Call
from trading_operator.plan.observed import ref_of
from trading_operator.plan.types import Manifest

_DRY_RUN = {"fieldManager": FIELD_MANAGER, "dryRun": "All"}


async def leave_pods(attempt: Attempt, manifest: Manifest) -> None:
    """Delete the StatefulSet that stands in the way of `manifest`, and leave its pods running.

    The pass that finds it gone makes the new one; a crash in between changes nothing about that.
    """
    key, ref = key_of(attempt.owner), ref_of(manifest)
    standing = attempt.kube.refusals.standing(key, ref, manifest)
    if standing is not None:
        attempt.failures.append(standing)
        return
    metadata = attempt.observed.children[ref]["metadata"]
    preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    try:
        if attempt.kube.contests.give_up_if_contested(key, ref, manifest):
            # Something changes what is made: the next one would differ again, and so on.
            raise ApiError(400, "Contested", await describe_contest(attempt, manifest))
        await _try_creation(attempt, manifest)
        await delete_object(attempt, ref, preconditions, ORPHAN)
    except ApiError as error:
        if error.status != 404:
            note_error(attempt, ref, manifest, error)
            return
    attempt.kube.refusals.drop(key, ref)
    attempt.kube.contests.add(key, ref, manifest)


async def _try_creation(attempt: Attempt, manifest: Manifest) -> None:
    """Ask whether the new one would be admitted, while the old one still holds the pods.

    That its name is taken is looked at last. Raises ApiError when it would be refused.
    """
    resource, namespace = BY_KIND[manifest["kind"]], attempt.owner.namespace
    try:
        await attempt.kube.transport.send(
            Call("create", resource, namespace, body=manifest, params=_DRY_RUN)
        )
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
