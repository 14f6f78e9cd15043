"""One namespace with an operator behind a proxy; scenarios run in it one after another."""

import asyncio
import signal
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from faults.exchange import Answer, Exchange
from faults.gate import Gate
from faults.injection import LEASE_SECONDS, Injector
from faults.proxy import Proxy
from integration.kube_client import Namespace
from integration.operator_process import OperatorProcess, Operators, write_kubeconfig
from mutation.children import Kind
from mutation.server import Server, Writes, path_of

# A paused leader sleeps until another one can have led for a while.
PAUSED_SECONDS = LEASE_SECONDS + 4.0
AFTER_WAKING_SECONDS = 1.5
_LEASES = "apis/coordination.k8s.io/v1", "leases"
_STARTED_SECONDS = 60.0
_PAUSE = 0.1


class LaneError(Exception):
    """A lane can run nothing more."""


@dataclass
class Place:
    """What there must be before a lane can work: made once, and reused for each operator."""

    namespace: Namespace
    operators: Operators
    kinds: tuple[Kind, ...]
    folder: Path


@dataclass
class Lane:
    """An operator, and everything that may happen to it."""

    place: Place
    server: Server
    context: ssl.SSLContext
    restart: Callable[[], Awaitable[None]]  # of the API server
    gate: Gate = field(init=False)
    proxy: Proxy = field(init=False)
    injector: Injector = field(init=False)
    writes: Writes = field(init=False)
    trouble: list[str] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _logs: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the proxy, the gate and the faults together."""
        self.gate = Gate(self._carry_out)
        self.proxy = Proxy(self.place.namespace.client.server, self.context, self.gate.take)
        self.injector = Injector(self.proxy, self)
        self.writes = Writes(
            self.place.operators.audit_log, self.place.operators.user, frozenset({self.name})
        )

    @property
    def name(self) -> str:
        """Return the name of the namespace."""
        return self.place.namespace.name

    @property
    def current(self) -> OperatorProcess:
        """Return the operator that was started last."""
        return self.place.operators.running[-1]

    async def open(self) -> None:
        """Start the proxy and an operator."""
        await self.proxy.start()
        self._spawn(self.gate.run())
        path = self.place.folder / "proxied.kubeconfig"
        write_kubeconfig(self.place.namespace, path, self.proxy.url)
        config = yaml.safe_load(path.read_text())
        # The proxy shows a certificate of its own.
        config["clusters"][0]["cluster"] = {
            "server": self.proxy.url,
            "insecure-skip-tls-verify": True,
        }
        path.write_text(yaml.safe_dump(config))
        self.start_operator()

    async def close(self) -> None:
        """End everything that runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.place.operators.stop_all)
        await self.proxy.stop()

    def start_operator(self) -> OperatorProcess:
        """Start one more replica, which leads if no other does."""
        path = self.place.folder / "proxied.kubeconfig"
        return self.place.operators.start(path, LEASE_SECONDS=str(LEASE_SECONDS))

    async def start_standby(self) -> None:
        """Start one more replica, and wait until it is warm."""
        standby = self.start_operator()
        end = time.monotonic() + _STARTED_SECONDS
        while not await asyncio.to_thread(standby.is_ready):
            if time.monotonic() > end:
                raise LaneError(f"{self.name}: the standby is not ready")
            await asyncio.sleep(_PAUSE)

    def kill(self, replica: str) -> None:
        """Kill a replica, and start another one when it is gone."""
        if replica in self.proxy.dead:
            return
        self.proxy.dead.add(replica)
        self._process_of(replica).process.kill()
        self._spawn(self._replace(replica))

    def pause(self, replica: str) -> None:
        """Stop a replica, wake it when another one acts, and end it after a while."""
        self._process_of(replica).process.send_signal(signal.SIGSTOP)
        self._spawn(self._wake(replica))

    def start_afresh(self) -> None:
        """Have a new operator take over from whatever stands still."""
        self.proxy.refuse(False)
        self.proxy.watches.heal()
        self.kill(f"replica-{len(self.place.operators.running) - 1}")

    async def restart_server(self) -> None:
        """Kill the API server and start it again."""
        await self.restart()

    async def until_whole(self, seconds: float) -> None:
        """Wait until nothing is left to be done about a fault. Raises LaneError."""
        end = time.monotonic() + seconds
        while len(self._tasks) > 1:  # the gate's own
            if time.monotonic() > end:
                raise LaneError(f"{self.name}: a fault does not end")
            await asyncio.sleep(_PAUSE)
        self.proxy.watches.heal()

    def read_trouble(self) -> list[str]:
        """Return what went wrong since the last time: ends and tracebacks of operators."""
        found, self.trouble = self.trouble, []
        operators = self.place.operators
        if self.current.process.poll() is not None:
            found.append(f"{self.current.log.name}: the operator has ended by itself")
            self.start_operator()
        for replica in operators.running:
            found += self._read_log(replica.log)
        return found

    def _read_log(self, log: Path) -> list[str]:
        with log.open("rb") as file:
            file.seek(self._logs.get(log, 0))
            block = file.read()
        self._logs[log] = self._logs.get(log, 0) + len(block)
        lines = block.decode(errors="replace").splitlines()
        return [f"{log.name}: {line[-1500:]}" for line in lines if "traceback" in line.lower()]

    async def _carry_out(self, exchange: Exchange, index: int) -> Answer | None:
        return await self.injector.carry_out(exchange, index)

    async def _replace(self, replica: str) -> None:
        process = self._process_of(replica)
        await asyncio.to_thread(process.process.wait)
        # Else each kill costs a Lease's time.
        await self.server.delete(path_of(*_LEASES, self.name, "trading-operator"))
        self.start_operator()

    async def _wake(self, replica: str) -> None:
        await asyncio.sleep(PAUSED_SECONDS)
        woken = time.monotonic()
        process = self._process_of(replica).process
        process.send_signal(signal.SIGCONT)
        await asyncio.sleep(AFTER_WAKING_SECONDS)
        late = [writer for at, writer in self.injector.writers if at > woken and writer == replica]
        if late:
            self.trouble.append(f"{replica} wrote {len(late)} times after it was woken")
        self.proxy.dead.add(replica)
        process.kill()
        await asyncio.to_thread(process.wait)

    def _process_of(self, replica: str) -> OperatorProcess:
        return self.place.operators.running[int(replica.rpartition("-")[2])]

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.trouble.append(f"{type(error).__name__}: {error}")
