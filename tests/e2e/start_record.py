"""Records when each component was created and first Ready while a system comes up."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from demo.kubectl import CommandError
from e2e.trading_cluster import TradingCluster, is_ready, was_created

LOOK_EVERY = 0.3  # seconds


@dataclass
class StartRecord:
    """Creation and first Ready time by component, as the API server dates them."""

    created: dict[str, datetime] = field(default_factory=dict)
    ready: dict[str, datetime] = field(default_factory=dict)


class StartRecorder:
    """Looks at a namespace's pods until it is told to stop."""

    def __init__(self, trading: TradingCluster, namespace: str) -> None:
        self.record = StartRecord()
        self._trading = trading
        self._namespace = namespace
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "StartRecorder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        try:
            pods = self._trading.pods(self._namespace)
        except CommandError:
            return  # asked again in a moment; a component never seen fails the test
        for pod in pods:
            component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            self.record.created.setdefault(component, was_created(pod))
            if (moment := is_ready(pod)) is not None:
                self.record.ready.setdefault(component, moment)
