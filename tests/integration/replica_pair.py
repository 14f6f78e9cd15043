"""Two replicas, each behind a proxy of its own, under a load of systems that change."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from integration.flaky_proxy import FlakyProxy, build_server_context
from integration.kube_client import Namespace, eventually
from integration.operator_process import OperatorProcess, Operators, write_kubeconfig
from integration.systems import build_service, build_system
from integration.write_record import Request, WriteRecord

SYSTEMS = 6
CHANGE_SECONDS = 0.1


@dataclass
class Replica:
    """A replica, its name in the audit log, and what stands between it and the API server."""

    name: str
    process: OperatorProcess
    proxy: FlakyProxy


Fault = Callable[[Replica], AbstractContextManager[None]]


@dataclass
class Pair:
    """The replica that leads, the one that stands by, and what both asked for."""

    namespace: Namespace
    operators: Operators
    folder: Path
    lease_seconds: float
    record: WriteRecord
    stack: ExitStack
    leader: Replica = field(init=False)
    standby: Replica = field(init=False)

    def start(self) -> Replica:
        """Start one more replica."""
        name = f"replica-{len(self.operators.running)}"
        proxy = FlakyProxy(self.namespace.client.server, build_server_context(self.folder))
        self.stack.enter_context(proxy.running())
        kubeconfig = self._write_kubeconfig(name, proxy.url)
        settings = {"LEASE_SECONDS": str(self.lease_seconds)}
        return Replica(name, self.operators.start(kubeconfig, **settings), proxy)

    def start_standby(self) -> None:
        """Start a replica that stands by, and wait until it is warm."""
        self.standby = self.start()
        eventually(self.standby.process.is_ready)

    def strike(self, fault: Fault, wait: float, within: float) -> tuple[float, list[Request]]:
        """Let the leader suffer a fault after a while, and the standby take over.

        Returns the seconds until the standby's first write, and the writes of both, also those
        of the time after the fault.
        """
        began = now()
        eventually(lambda: self._has_written(self.leader, began), 60)
        time.sleep(1 + wait)
        struck = now()
        with fault(self.leader):
            first = self._take_over(struck, within)
            self._assert_warm(struck, first)
        time.sleep(self.lease_seconds)
        return (first.at - struck).total_seconds(), self.writes_since(began)

    def _has_written(self, replica: Replica, since: datetime) -> bool:
        return any(each.replica == replica.name for each in self.writes_since(since))

    def writes_since(self, moment: datetime) -> list[Request]:
        """Return the writes of all replicas since then."""
        return [each for each in self.record.read_writes() if each.at >= moment]

    def terms(self) -> list[tuple[datetime, str]]:
        """Return when which replica began to lead, as they logged it."""
        found = []
        for number, process in enumerate(self.operators.running):
            for line in process.log.read_text().splitlines():
                if '"event":"leading"' in line and line.endswith("}"):
                    moment = datetime.fromisoformat(json.loads(line)["timestamp"])
                    found.append((moment, f"replica-{number}"))
        return sorted(found)

    def swap(self) -> None:
        """Note that the standby leads, and have another one stand by."""
        self.leader, self.standby = self.standby, self.leader
        if self.standby.process.process.poll() is not None:
            self.start_standby()
        eventually(self.standby.process.is_ready, 60)
        eventually(self._is_quiet, 60)

    def _is_quiet(self) -> bool:
        """Tell whether the standby's watches stand again after its own fault."""
        recent = now() - timedelta(seconds=3)
        asked = (each for each in self.record.read() if each.at >= recent)
        reads = ("list", "watch")
        return not any(e.replica == self.standby.name and e.verb in reads for e in asked)

    def _take_over(self, since: datetime, seconds: float) -> Request:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for each in self.writes_since(since):
                if each.replica == self.standby.name:
                    return each
            time.sleep(0.2)
        raise AssertionError(f"{self.standby.name} wrote nothing within {seconds} s")

    def _assert_warm(self, since: datetime, first: Request) -> None:
        asked = [each for each in self.record.read() if since <= each.at <= first.at]
        mine = [each for each in asked if each.replica == self.standby.name]
        # They are no children: classes are read again each minute, as Secrets are, the others
        # before a change.
        others = {"storageclasses/", "resourcequotas/", "nodes/"}
        # A new leader must know of every Restore, or it would start what one has stopped.
        others |= {"backups/", "restores/", "modeltrainingjobs/"}
        cold = [each for each in mine if each.lists and each.what not in others]
        assert not cold, cold

    def _write_kubeconfig(self, name: str, url: str) -> Path:
        path = write_kubeconfig(self.namespace, self.folder / f"{name}.kubeconfig", url)
        config = yaml.safe_load(path.read_text())
        # The proxy shows a certificate of its own.
        config["clusters"][0]["cluster"] = {"server": url, "insecure-skip-tls-verify": True}
        path.write_text(yaml.safe_dump(config))
        return path


@contextmanager
def running_pair(
    namespace: Namespace, operators: Operators, folder: Path, lease_seconds: float
) -> Iterator[Pair]:
    """Run a leader, a standby and the load until the end of the block."""
    with ExitStack() as stack:
        record = WriteRecord(operators.audit_log, operators.user)
        pair = Pair(namespace, operators, folder, lease_seconds, record, stack)
        stack.callback(operators.stop_all)
        pair.leader = pair.start()
        eventually(pair.leader.process.is_leading)
        pair.start_standby()
        stack.enter_context(changing_systems(namespace))
        yield pair


@contextmanager
def changing_systems(namespace: Namespace) -> Iterator[None]:
    """Create systems and change one after another until the end of the block."""
    ended = threading.Event()
    load = threading.Thread(target=_change, args=(namespace, ended))
    load.start()
    try:
        yield
    finally:
        ended.set()
        load.join()


def _change(namespace: Namespace, ended: threading.Event) -> None:
    number = 0
    while not ended.wait(CHANGE_SECONDS):
        number += 1
        services = [build_service(f"s{each}", tag=str(number)) for each in range(2)]
        namespace.apply("tradingsystems", build_system(f"load-{number % SYSTEMS}", services))


def now() -> datetime:
    """Return the time as the audit log tells it."""
    return datetime.now(UTC)
