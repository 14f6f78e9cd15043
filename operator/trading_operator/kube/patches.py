"""Patches of one object, each from exactly the version that was planned from."""

from trading_operator.kube.attempt import Attempt
from trading_operator.kube.cache import Entry
from trading_operator.kube.resources import BY_KIND, CLAIMS
from trading_operator.kube.transport import Call
from trading_operator.plan.observed import Ref


async def patch_object(
    attempt: Attempt, ref: Ref, content_type: str, body: object, params: dict[str, str]
) -> Entry:
    """Send a patch and return what the cache holds then. Raises ApiError."""
    attempt.writes += 1
    wake = ref.kind == CLAIMS.kind  # what follows a claim, follows in the next pass
    call = Call(
        "patch",
        BY_KIND[ref.kind],
        attempt.owner.namespace,
        ref.name,
        body=body,
        content_type=content_type,
        params=params,
    )
    return attempt.kube.cache.put(await attempt.kube.transport.send(call), wake=wake)


def guard(version: int | str) -> dict[str, str]:
    """Build the operation of a JSON patch that holds for one version of the object alone."""
    # Replaced by its own value: a conflict unless it is still the same.
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": str(version)}
