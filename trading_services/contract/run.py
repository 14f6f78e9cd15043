"""Runs a component: configuration, logs, HTTP, the loop, signals and the exit code."""

import signal
import threading
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, disable_created_metrics

from trading_services.contract.config import read_config
from trading_services.contract.control import ControlLink
from trading_services.contract.errors import EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, ConfigError
from trading_services.contract.heartbeat import Heartbeat
from trading_services.contract.http import HttpServer, build_app
from trading_services.contract.logs import LoggingConfig, configure_logging, get_logger
from trading_services.contract.loop import WorkerLoop
from trading_services.contract.metrics import LoopMetrics
from trading_services.contract.service import Component, Runtime, Service, SettingsT
from trading_services.contract.settings import read_settings
from trading_services.database.connection import Database, bound_answers, build_address

_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}

_log = get_logger(__name__)


def run_component(
    component: Component[SettingsT], environment: Mapping[str, str], *, check_only: bool = False
) -> int:
    """Run until SIGTERM and return the exit code; 78 says that the configuration is wrong."""
    # Until logging.yaml is read, errors are JSON lines on stdout already.
    configure_logging(LoggingConfig(), component.name, Path("/nonexistent"))
    try:
        runtime = _build_runtime(component, environment)
        service = component.build(runtime)
    except ConfigError as error:
        _log.critical(
            "configuration refused",
            source=error.source,
            field=error.field,
            problem=error.problem,
        )
        return EXIT_CONFIG
    if check_only:
        _log.info("configuration accepted")
        return EXIT_OK
    return _serve(component, runtime, service)


def _build_runtime(
    component: Component[SettingsT], environment: Mapping[str, str]
) -> Runtime[SettingsT]:
    settings = read_settings(component.settings, environment)
    logging_config = read_config(settings.config_dir / "logging.yaml", LoggingConfig)
    if settings.log_level is not None:
        logging_config = logging_config.model_copy(update={"level": settings.log_level})
    configure_logging(logging_config, component.name, settings.logs_dir)
    bound_answers()
    return Runtime(
        component=component.name,
        settings=settings,
        database=Database(build_address(settings, component.name)),
        registry=CollectorRegistry(),
        heartbeat=Heartbeat(settings.loop_deadline_seconds),
        stopping=threading.Event(),
    )


def _serve(component: Component[SettingsT], runtime: Runtime[SettingsT], service: Service) -> int:
    # Blocked before any thread starts, so that only `_wait_for_stop` ever takes them; the command
    # line did so already.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    # A third of all series otherwise, and nobody reads when a counter was made.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    settings = runtime.settings
    metrics = LoopMetrics(runtime.registry, component.name)
    control = ControlLink(
        runtime.database, component.name, settings.pod_name, settings.beat_interval_seconds
    )
    loop = WorkerLoop(service, control, runtime.heartbeat, metrics, runtime.stopping)
    app = build_app(component.name, service, loop, runtime.heartbeat, runtime.database, metrics)
    port = settings.http_port or component.port
    try:
        server = HttpServer(app, settings.http_host, port)
    except OSError as error:
        _log.critical("cannot listen", host=settings.http_host, port=port, error=str(error))
        return EXIT_FAILURE
    server.start()
    thread = threading.Thread(
        target=loop.run,
        args=(runtime.database, settings.database_wait_seconds),
        kwargs={"migrates": component.migrates},
        name="loop",
        daemon=True,
    )
    thread.start()
    _log.info("serving", port=port, mode=settings.trading_mode)
    _wait_for_stop(runtime.stopping)
    thread.join(timeout=settings.stop_grace_seconds)
    server.stop()
    return _exit_code(loop, thread, runtime.database)


def _wait_for_stop(stopping: threading.Event) -> None:
    while not stopping.is_set():
        received = signal.sigtimedwait(_STOP_SIGNALS, 0.2)
        # After SIGSTOP and SIGCONT, Python 3.11 may hand back a struct that nobody filled.
        if received is not None and received.si_signo in _STOP_SIGNALS:
            _log.info("stopping", signal=signal.Signals(received.si_signo).name)
            stopping.set()


def _exit_code(loop: WorkerLoop, thread: threading.Thread, database: Database) -> int:
    if thread.is_alive():
        _log.error("the loop did not stop within the grace period")
        return EXIT_FAILURE
    database.close()
    _log.info("stopped", exit_code=loop.exit_code)
    return loop.exit_code
