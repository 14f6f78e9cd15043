"""Lists all resources of one type, page by page."""

from collections.abc import AsyncIterator
from typing import Any

from trading_operator.kube.resources import Resource
from trading_operator.kube.transport import Call, Transport, items_of

PAGE = 500


async def list_all(
    transport: Transport, resource: Resource, namespace: str | None
) -> AsyncIterator[dict[str, Any]]:
    """Yield the resources of a namespace, or of all of them. Raises ApiError."""
    # A list leaves out of its items what is the same for all of them.
    common = {"apiVersion": resource.api_version, "kind": resource.kind}
    params = {"limit": str(PAGE)}
    while True:
        page = await transport.send(Call("list", resource, namespace, params=params))
        for item in items_of(page):
            yield {**common, **item}
        more = page["metadata"].get("continue")
        if not more:
            return
        params = {"limit": str(PAGE), "continue": more}
