"""Tells a pod of files that changed, so that its kubelet looks at the mounted ones at once."""

from collections.abc import Awaitable, Iterator

from trading_operator.kube.attempt import Attempt, note_error
from trading_operator.kube.cache import Id
from trading_operator.kube.errors import ApiError
from trading_operator.kube.read import key_of
from trading_operator.kube.resources import PODS
from trading_operator.kube.transport import FIELD_MANAGER, MERGE_PATCH, Call
from trading_operator.manifests.metadata import MODELS_ANNOTATION, TRADING_STATE_ANNOTATION
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Plan


def tell_pods(attempt: Attempt, plan: Plan) -> Iterator[Awaitable[None]]:
    """Yield the writes that tell pods; what their file does not say is not told."""
    notice = plan.trading_state
    told: dict[str, dict[str, str]] = {}
    if notice is not None and notice.told(attempt.children) == notice.state:
        told = {name: {TRADING_STATE_ANNOTATION: notice.state} for name in notice.pods}
    models = plan.models
    if models is not None and models.is_written(attempt.children):
        for name, digest in models.pods.items():
            told[name] = {**told.get(name, {}), MODELS_ANNOTATION: digest}
    yield from (_tell_pod(attempt, name, annotations) for name, annotations in told.items())


async def _tell_pod(attempt: Attempt, name: str, annotations: dict[str, str]) -> None:
    """Annotate a pod with what its files hold; no container notices."""
    key, ref = key_of(attempt.owner), Ref(PODS.kind, name)
    namespace = attempt.owner.namespace
    entry = attempt.kube.cache.get(Id(PODS.kind, namespace, name))
    if entry is None:
        return
    # With its uid: another pod of the name has another file.
    body = {"metadata": {"uid": entry.uid, "annotations": annotations}}
    standing = attempt.kube.refusals.standing(key, ref, body)
    if standing is not None:
        attempt.failures.append(standing)
        return
    call = Call(
        "patch",
        PODS,
        namespace,
        name,
        body=body,
        content_type=MERGE_PATCH,
        params={"fieldManager": FIELD_MANAGER},
    )
    attempt.writes += 1
    try:
        attempt.kube.cache.put(await attempt.kube.transport.send(call), wake=False)
    except ApiError as error:
        if error.status not in (404, 409):  # gone, or another pod of the name by now
            note_error(attempt, ref, body, error)
            return
    attempt.kube.refusals.drop(key, ref)
