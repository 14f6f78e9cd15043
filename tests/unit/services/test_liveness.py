"""Liveness: probes that hang on a frozen database do not hide that the loop turns."""

import threading

import httpx
from prometheus_client import CollectorRegistry

from services.timescale_server import find_free_port
from trading_services.contract.control import ControlLink
from trading_services.contract.heartbeat import Heartbeat
from trading_services.contract.http import HttpServer, build_app
from trading_services.contract.loop import WorkerLoop
from trading_services.contract.metrics import LoopMetrics
from trading_services.contract.readiness import ReadinessCheck
from trading_services.contract.service import Service, WorkerState
from trading_services.contract.settings import ServiceSettings
from trading_services.database.connection import Database, build_address

# The threads of the server's pool, and more requests than those.
POOL = 40
HANGING = 60


class _Idle:
    def start(self) -> None: ...

    def step(self) -> float:
        return 1.0

    def stop(self) -> None: ...

    def describe(self) -> WorkerState:
        return WorkerState()


def test_liveness_answers_while_every_thread_of_the_pool_hangs() -> None:
    thawed, entered = threading.Event(), threading.Semaphore(0)

    def hang() -> str:
        entered.release()
        return str(thawed.wait(30))

    database = Database(build_address(ServiceSettings(timescaledb_host="127.0.0.1"), "test"))
    service = Service(_Idle(), [ReadinessCheck("frozen", hang)])
    metrics, heartbeat = LoopMetrics(CollectorRegistry(), "test"), Heartbeat(60)
    control = ControlLink(database, "test", "pod", 2)
    loop = WorkerLoop(service, control, heartbeat, metrics, threading.Event())
    port = find_free_port()
    app = build_app("test", service, loop, heartbeat, database, metrics)
    server = HttpServer(app, "127.0.0.1", port)
    server.start()
    threads = [
        threading.Thread(
            target=httpx.get, args=(f"http://127.0.0.1:{port}/readyz",), kwargs={"timeout": 40}
        )
        for _ in range(HANGING)
    ]
    for thread in threads:
        thread.start()
    try:
        assert all(entered.acquire(timeout=10) for _ in range(POOL))
        answer = httpx.get(f"http://127.0.0.1:{port}/livez", timeout=3)
    finally:
        thawed.set()
        for thread in threads:
            thread.join()
        server.stop()
    assert answer.json()["alive"] is True
