"""Writes the status of a resource of ours: once, and only if it changed."""

from collections.abc import Mapping
from typing import Any

from trading_operator.kube.resources import OWN_BY_KIND
from trading_operator.kube.transport import MERGE_PATCH, Call, Transport

Body = Mapping[str, Any]


async def write_status(transport: Transport, body: Body, status: Body) -> Body | None:
    """Write the status and return the new body; None when there was nothing to write.

    The write holds only for the version that was read. Raises ApiError.
    """
    previous = body.get("status") or {}
    if previous == status:
        return None
    metadata = body["metadata"]
    patch = {
        "metadata": {"resourceVersion": metadata["resourceVersion"]},
        "status": _replace(previous, status),
    }
    call = Call(
        "patch",
        OWN_BY_KIND[body["kind"]],
        metadata["namespace"],
        metadata["name"],
        "status",
        body=patch,
        content_type=MERGE_PATCH,
    )
    answer: Body = await transport.send(call)
    return answer


def _replace(previous: Body, status: Body) -> dict[str, Any]:
    """Build the merge patch that leaves nothing of before: what it does not name, it keeps."""
    gone: dict[str, Any] = dict.fromkeys(previous.keys() - status.keys())
    return gone | {name: _value(previous.get(name), value) for name, value in status.items()}


def _value(before: Any, value: Any) -> Any:
    # A list is replaced as a whole.
    both = isinstance(before, Mapping) and isinstance(value, Mapping)
    return _replace(before, value) if both else value
