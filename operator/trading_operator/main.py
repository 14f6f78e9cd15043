"""Entry point: python -m trading_operator.main."""

import asyncio
import gc
import logging
import sys
from dataclasses import replace

from prometheus_client import disable_created_metrics

from trading_operator import __version__
from trading_operator.api.datastore import EngineName
from trading_operator.controllers.runtime import Runtime
from trading_operator.engines.base import OperandSettings
from trading_operator.kopf_frame import build_frame, run_frame
from trading_operator.kube.connection import read_connection
from trading_operator.log_format import configure_logging
from trading_operator.manifests.network_policy import NameServers
from trading_operator.metrics import Metrics
from trading_operator.name_servers import read_name_servers
from trading_operator.probes import Probes
from trading_operator.settings import Settings

_log = logging.getLogger("trading_operator")


def build_operand_settings(settings: Settings) -> OperandSettings:
    """Build what the installation decides about the systems."""
    images = {
        EngineName.POSTGRESQL: settings.image_postgresql,
        EngineName.TIMESCALEDB: settings.image_timescaledb,
        EngineName.REDIS: settings.image_redis,
    }
    return OperandSettings(
        operator_namespace=settings.namespace,
        images={name: image for name, image in images.items() if image},
        name_servers=NameServers(
            addresses=_name_server_addresses(settings),
            namespace=settings.name_server_namespace,
            labels=settings.name_server_labels,
            ports=settings.name_server_ports,
        ),
        backup_image=settings.image_backup,
        training_image=settings.image_training,
        sequence_image=settings.image_training_sequence,
    )


def _name_server_addresses(settings: Settings) -> tuple[str, ...]:
    # Outside of a cluster ours are not those of the pods.
    if settings.name_servers == "Any" or not settings.namespace:
        return ()
    return read_name_servers()


async def run(settings: Settings) -> bool:
    """Run the operator until it is told to stop; returns whether it ended well."""
    metrics = Metrics()
    agent = f"trading-operator/{__version__} ({settings.pod_name})"
    connection = replace(await read_connection(settings.service_account), agent=agent)
    runtime = Runtime(settings, build_operand_settings(settings), connection, metrics)
    probes = Probes(metrics.registry, runtime.problems)
    frame = build_frame(runtime)
    await probes.start(settings.port)
    _log.info("starting", extra={"server": connection.server, "port": probes.port})
    try:
        await run_frame(frame, settings.watch_namespaces)
    finally:
        await probes.stop()
    return not runtime.failed


def main() -> None:
    """Run the operator with the settings of the environment."""
    configure_logging("INFO")
    gc.freeze()  # what was imported stays: looking through it again and again frees nothing
    # They double the number of series and say nothing of use here.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        settings = Settings()
        configure_logging(settings.log_level)
        well = asyncio.run(run(settings))
    except Exception:
        _log.critical("the operator ends", exc_info=True)
        well = False
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
