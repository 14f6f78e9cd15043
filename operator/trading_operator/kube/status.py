"""Writes a system's status: once, and only if it changed."""

from collections.abc import Mapping
from typing import Any

from trading_operator.kube.resources import TRADING_SYSTEMS
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
    # A merge patch keeps what it does not name: what left the status is named with null.
    gone = dict.fromkeys(previous.keys() - status.keys())
    patch = {
        "metadata": {"resourceVersion": metadata["resourceVersion"]},
        "status": {**gone, **status},
    }
    call = Call(
        "patch",
        TRADING_SYSTEMS,
        metadata["namespace"],
        metadata["name"],
        "status",
        body=patch,
        content_type=MERGE_PATCH,
    )
    answer: Body = await transport.send(call)
    return answer
