"""Makes Secrets with new passwords, once."""

import secrets

from trading_operator.kube.attempt import Attempt, note_absent, note_error
from trading_operator.kube.errors import ApiError
from trading_operator.kube.read import key_of
from trading_operator.kube.resources import CLAIMS, SECRETS
from trading_operator.kube.transport import FIELD_MANAGER, Call
from trading_operator.manifests.secret import build_claim_reference
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.types import Manifest, SecretRequest

_PASSWORD_BYTES = 32
_MANAGER = {"fieldManager": FIELD_MANAGER}


async def create_secret(attempt: Attempt, request: SecretRequest) -> None:
    """Make a Secret with a new password; one that is there stays, it may open a volume.

    It goes with the claim of the volume that it opens: without that claim there is no Secret.
    """
    key, ref = key_of(attempt.owner), ref_of(request.manifest)
    if ref.name in attempt.observed.secrets:
        attempt.kube.refusals.drop(key, ref)
        return
    standing = attempt.kube.refusals.standing(key, ref, request.manifest)
    if standing is not None:
        attempt.failures.append(standing)
        note_absent(attempt, ref)
        return
    claim = attempt.children.get(Ref(CLAIMS.kind, request.claim))
    if claim is None or "deletionTimestamp" in claim["metadata"]:
        note_absent(attempt, ref)  # why the claim is not there is told of the claim
        return
    attempt.writes += 1
    body = _fill_secret(request, build_claim_reference(claim))
    call = Call("create", SECRETS, attempt.owner.namespace, body=body, params=_MANAGER)
    try:
        attempt.kube.named.put(attempt.owner.namespace, await attempt.kube.transport.send(call))
    except ApiError as error:
        note_absent(attempt, ref)  # if it is there, the next pass looks at what is in it
        if error.reason == "AlreadyExists":
            attempt.kube.named.expire(SECRETS, attempt.owner.namespace, ref.name)
        else:
            note_error(attempt, ref, request.manifest, error)
        return
    attempt.kube.refusals.drop(key, ref)


def _fill_secret(request: SecretRequest, owner: Manifest) -> Manifest:
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    more = {key: text.replace("{password}", password) for key, text in request.fields.items()}
    values = {"username": request.username, "password": password, **more}
    metadata = {**request.manifest["metadata"], "ownerReferences": [owner]}
    return {**request.manifest, "metadata": metadata, "stringData": values}
