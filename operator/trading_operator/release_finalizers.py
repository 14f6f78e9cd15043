"""Before an uninstall: python -m trading_operator.release_finalizers.

Stops the operator and takes its finalizer off every system, so that nothing that is deleted later
waits for an operator that is not there. The systems themselves go on running.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from trading_operator.kube.connection import read_connection
from trading_operator.kube.errors import ApiError
from trading_operator.kube.finalizer import has_finalizer, release_finalizer
from trading_operator.kube.resources import DEPLOYMENTS, LEASES, TRADING_SYSTEMS
from trading_operator.kube.transport import MERGE_PATCH, Call, Transport, items_of
from trading_operator.log_format import configure_logging
from trading_operator.metrics import Metrics
from trading_operator.settings import Settings

PAGE = "500"
ROUND_SECONDS = 1.0
_log = logging.getLogger("trading_operator")


async def release_all(transport: Transport, settings: Settings) -> int:
    """Stop the operator, then release every system; returns how many. Raises ApiError."""
    await _stop_operator(transport, settings)
    await _wait_for_lease(transport, settings)
    released = 0
    for namespace in settings.watch_namespaces or (None,):
        async for body in _read_systems(transport, namespace):
            if has_finalizer(body):
                await _release(transport, body)
                released += 1
    return released


async def _stop_operator(transport: Transport, settings: Settings) -> None:
    """Scale the operator to zero: one that runs would put the finalizers back."""
    scale = Call(
        "patch",
        DEPLOYMENTS,
        settings.namespace,
        settings.lease_name,
        "scale",
        body={"spec": {"replicas": 0}},
        content_type=MERGE_PATCH,
    )
    try:
        await transport.send(scale)
    except ApiError as error:
        if error.status != 404:
            raise


async def _wait_for_lease(transport: Transport, settings: Settings) -> None:
    """Wait until no replica leads: the Lease is given back, or nobody has renewed it in time."""
    seen, since = "", time.monotonic()
    while True:
        lease = await _read_lease(transport, settings)
        if not lease.get("holderIdentity"):
            return
        if lease.get("renewTime") != seen:
            seen, since = lease.get("renewTime", ""), time.monotonic()
        if time.monotonic() - since > lease.get("leaseDurationSeconds", settings.lease_seconds):
            return
        await asyncio.sleep(ROUND_SECONDS)


async def _read_lease(transport: Transport, settings: Settings) -> dict[str, Any]:
    call = Call("get", LEASES, settings.lease_namespace, settings.lease_name)
    try:
        spec: dict[str, Any] = (await transport.send(call))["spec"]
    except ApiError as error:
        if error.status != 404:
            raise
        return {}
    return spec


async def _read_systems(
    transport: Transport, namespace: str | None
) -> AsyncIterator[dict[str, Any]]:
    params = {"limit": PAGE}
    while True:
        try:
            page = await transport.send(Call("list", TRADING_SYSTEMS, namespace, params=params))
        except ApiError as error:
            _check_nothing_there(error, namespace)
            return
        for body in items_of(page):
            yield body
        if not page["metadata"].get("continue"):
            return
        params = {"limit": PAGE, "continue": page["metadata"]["continue"]}


def _check_nothing_there(error: ApiError, namespace: str | None) -> None:
    """Raise what says something else than that there is nothing to release.

    Without the definition there are no systems, and with a namespace the rights in it are gone: one
    of several that is gone must not hold up the others, nor the uninstall.
    """
    if error.status != 404 and (error.status != 403 or namespace is None):
        raise error
    _log.warning(
        "nothing is released where no systems can be listed: the namespace is gone or ending,"
        " or its Role for the uninstall or the definition was removed",
        extra={"namespace": namespace, "answer": str(error)},
    )


async def _release(transport: Transport, body: dict[str, Any]) -> None:
    """Release one system, from whatever version it has by then."""
    metadata = body["metadata"]
    while True:
        try:
            return await release_finalizer(transport, body)
        except ApiError as error:
            if error.status != 409:
                raise
        call = Call("get", TRADING_SYSTEMS, metadata["namespace"], metadata["name"])
        try:
            body = await transport.send(call)
        except ApiError as error:
            if error.status != 404:
                raise
            return None


async def run(settings: Settings) -> int:
    """Release all systems that the operator serves; returns how many. Raises ApiError."""
    transport = Transport(
        await read_connection(settings.service_account), Metrics(), settings.requests
    )
    try:
        return await release_all(transport, settings)
    finally:
        await transport.close()


def main() -> None:
    """Release all systems with the settings of the environment."""
    configure_logging("INFO")
    try:
        released = asyncio.run(run(Settings()))
    except Exception:
        _log.critical("systems may still wait for the operator", exc_info=True)
        sys.exit(1)
    _log.info("systems wait for no operator any more", extra={"released": released})


if __name__ == "__main__":
    main()
