"""The HTTP side: probes, metrics and a component's own routes, on uvicorn in a thread."""

import socket
import threading
from collections.abc import Awaitable, Callable

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from trading_services.contract.heartbeat import Heartbeat
from trading_services.contract.loop import WorkerLoop
from trading_services.contract.metrics import LoopMetrics
from trading_services.contract.readiness import ReadinessCheck, find_reasons
from trading_services.contract.service import Service
from trading_services.database.connection import Database

Endpoint = Callable[[Request], Response]
AsyncEndpoint = Callable[[Request], Awaitable[Response]]


def build_app(
    component: str,
    service: Service,
    loop: WorkerLoop,
    heartbeat: Heartbeat,
    database: Database,
    metrics: LoopMetrics,
) -> Starlette:
    """Return the app with the contract's routes before the component's own."""
    checks = [
        ReadinessCheck("loop", loop.trouble),
        ReadinessCheck("database", lambda: find_database_trouble(database)),
        *service.checks,
    ]
    ready = _build_readiness(component, checks, loop, metrics)
    routes = [
        Route("/livez", _build_liveness(component, heartbeat)),
        Route("/health", ready),
        Route("/readyz", ready),
        Route("/metrics", _build_metrics(metrics)),
        *service.routes,
    ]
    return Starlette(routes=routes)


def find_database_trouble(database: Database) -> str | None:
    """Ask the database for an answer; raises what psycopg2 raises when there is none."""
    database.query("SELECT 1")
    return None


def _build_liveness(component: str, heartbeat: Heartbeat) -> AsyncEndpoint:
    # Not in the thread pool: probes that wait for a frozen database must not make us look dead.
    async def live(_: Request) -> Response:
        alive = heartbeat.alive()
        content = {
            "alive": alive,
            "component": component,
            "loopAgeSeconds": round(heartbeat.age_seconds(), 3),
        }
        return JSONResponse(content, status_code=200 if alive else 503)

    return live


def _build_readiness(
    component: str, checks: list[ReadinessCheck], loop: WorkerLoop, metrics: LoopMetrics
) -> Endpoint:
    def ready(_: Request) -> Response:
        reasons = find_reasons(checks, paused=loop.paused)
        state = loop.describe()
        metrics.ready.set(not reasons)
        content = {
            "ready": not reasons,
            "component": component,
            "state": state.state,
            "reasons": reasons,
            "detail": state.detail,
        }
        return JSONResponse(content, status_code=503 if reasons else 200)

    return ready


def _build_metrics(metrics: LoopMetrics) -> Endpoint:
    def expose(_: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return expose


class HttpServer:
    """uvicorn in a thread, so that signals stay with the main thread."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        """Take the port at once: a port in use raises OSError here, not in the thread."""
        self._socket = socket.create_server((host, port), backlog=128)
        config = uvicorn.Config(
            app,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="http", daemon=True
        )

    def start(self) -> None:
        """Serve in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what is in flight, then close."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
        self._socket.close()
