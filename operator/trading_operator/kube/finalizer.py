"""The finalizer that holds a deleted system until its components have stopped in order."""

from collections.abc import Mapping, Sequence
from typing import Any

from trading_operator.kube.errors import ApiError
from trading_operator.kube.resources import NAMESPACES, TRADING_SYSTEMS
from trading_operator.kube.transport import MERGE_PATCH, Call, Transport

ORDERED_STOP = "tradingoperator.io/ordered-stop"
# With it everything that the system owns is meant to go on running without it.
_ORPHAN = "orphan"

Body = Mapping[str, Any]


def has_finalizer(body: Body) -> bool:
    """Tell whether a system waits for an ordered stop when it is deleted."""
    return ORDERED_STOP in _finalizers(body)


def leaves_orphans(body: Body) -> bool:
    """Tell whether whoever deleted the system wants its children to stay."""
    return _ORPHAN in _finalizers(body)


async def keep_finalizer(transport: Transport, body: Body, wanted: bool) -> Body:
    """Add or take off the finalizer where that is to be done; returns the body after it.

    The write holds only for the version that was read. Raises ApiError.
    """
    if has_finalizer(body) == wanted:
        return body
    others = [each for each in _finalizers(body) if each != ORDERED_STOP]
    return await _write(transport, body, [*others, ORDERED_STOP] if wanted else others)


async def release_finalizer(transport: Transport, body: Body) -> None:
    """Take the finalizer off a system that may go now. Raises ApiError."""
    try:
        await keep_finalizer(transport, body, wanted=False)
    except ApiError as error:
        if error.status != 404:
            raise


async def namespace_ends(transport: Transport, namespace: str) -> bool:
    """Tell whether a namespace is being deleted; one that may not be read is not."""
    try:
        found = await transport.send(Call("get", NAMESPACES, name=namespace))
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return error.status == 404
    return "deletionTimestamp" in found["metadata"]


async def _write(transport: Transport, body: Body, finalizers: Sequence[str]) -> Body:
    metadata = body["metadata"]
    version = metadata["resourceVersion"]
    call = Call(
        "patch",
        TRADING_SYSTEMS,
        metadata["namespace"],
        metadata["name"],
        body={"metadata": {"resourceVersion": version, "finalizers": list(finalizers)}},
        content_type=MERGE_PATCH,
    )
    answer: Body = await transport.send(call)
    return answer


def _finalizers(body: Body) -> list[str]:
    return list(body["metadata"].get("finalizers") or ())
