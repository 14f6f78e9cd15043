"""Which fields of an object somebody else keeps changing, and who that is."""

from collections.abc import Iterator, Mapping
from typing import Any

from trading_operator.kube.attempt import Attempt
from trading_operator.kube.field_owners import other_managers
from trading_operator.kube.resources import BY_KIND
from trading_operator.kube.transport import Call
from trading_operator.manifests.compare import describe_path, find_differences
from trading_operator.plan.observed import ref_of
from trading_operator.plan.types import Manifest

_NAMED_FIELDS = 5


async def describe_contest(attempt: Attempt, manifest: Manifest) -> str:
    """Say which fields are contested, by whom, and what ends it. Raises ApiError."""
    ref = ref_of(manifest)
    # The cache holds no managed fields.
    live = await attempt.kube.transport.send(
        Call("get", BY_KIND[ref.kind], attempt.owner.namespace, ref.name)
    )
    fields = list(_fields(manifest, live))
    named = "; ".join(fields[:_NAMED_FIELDS]) + ("; …" if len(fields) > _NAMED_FIELDS else "")
    return (
        f"somebody else keeps changing {ref.kind} {ref.name}: {named or 'nothing at this moment'}. "
        "Have that stopped, or change the spec instead; it is tried again at longer and longer "
        "times"
    )


def _fields(manifest: Manifest, live: Mapping[str, Any]) -> Iterator[str]:
    for path in find_differences(manifest, dict(live)):
        managers = other_managers(live, path)
        yield describe_path(path) + (f" (by {', '.join(managers)})" if managers else "")
