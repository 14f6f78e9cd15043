"""Runs of the real strategy process to the end of the recorded bars."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.service_process import ServiceProcess
from services.timescale_server import REPOSITORY, find_free_port
from trading_services.database.connection import Database

SCRIPT = Path(__file__).with_name("strategy_under_test.py")
END_SECONDS = 180.0

UNDECIDED = """
SELECT count(*) FROM (
    SELECT a.symbol, a.timeframe, max(a.timestamp) AS newest
    FROM stock_aggs a GROUP BY a.symbol, a.timeframe
) newest
LEFT JOIN decision_progress p USING (symbol, timeframe)
WHERE p.last_bar IS DISTINCT FROM newest.newest
"""


@dataclass
class StrategyRuns:
    """Starts the strategy against one database, as often as needed."""

    database: Database
    models_dir: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    started: list[ServiceProcess] = field(default_factory=list)

    def start(self, **wanted: str) -> ServiceProcess:
        """Start the strategy; `kill`, `freeze`, `plant` as strategy_under_test takes them."""
        port = find_free_port()
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, str(SCRIPT), json.dumps(wanted)],
                env=self._environment(port),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        url = f"http://127.0.0.1:{port}"
        self.started.append(ServiceProcess("trading-strategy", url, process, self.output))
        return self.started[-1]

    def close(self) -> None:
        """Kill what a test left running."""
        for service in self.started:
            service.kill()

    @property
    def output(self) -> Path:
        """The file that all runs write to."""
        return self.folder / "strategy.out"

    def run_to_end(self, **wanted: str) -> None:
        """Start the strategy, wait until every bar is decided, and stop it with SIGTERM."""
        service = self.start(**wanted)
        try:
            self.wait_for_end(service)
        finally:
            service.process.terminate()
            service.process.wait(timeout=20)

    def run_to_death(self, kill: str, **wanted: str) -> None:
        """Start the strategy and wait until it has died at the point `kill`."""
        service = self.start(kill=kill, **wanted)
        assert service.process.wait(timeout=END_SECONDS) == -signal.SIGKILL, kill

    def wait_for_end(self, service: ServiceProcess) -> None:
        """Wait until every bar is decided; AssertionError with the output when it is not."""
        deadline = time.monotonic() + END_SECONDS
        while not self.finished():
            ended = service.process.poll() is not None
            if ended or time.monotonic() > deadline:
                output = self.output.read_text()[-4000:]
                raise AssertionError(f"not all bars were decided:\n{output}")
            time.sleep(0.1)

    def finished(self) -> bool:
        """Whether every stored bar is decided."""
        return bool(self.database.query(UNDECIDED)[0][0] == 0)

    def count_decided(self) -> int:
        """Return how many bars are decided."""
        return int(self.database.query("SELECT count(*) FROM signals")[0][0])

    def wait_for_more(self, decided: int, service: ServiceProcess) -> None:
        """Wait until more than `decided` bars are decided."""
        deadline = time.monotonic() + END_SECONDS
        while self.count_decided() <= decided:
            assert service.process.poll() is None, self.output.read_text()[-2000:]
            assert time.monotonic() < deadline, self.output.read_text()[-2000:]
            time.sleep(0.005)

    def halted(self) -> bool:
        """Whether a halt is latched."""
        return bool(self.database.query("SELECT count(*) FROM trading_halts")[0][0])

    def wait_until_frozen(self, service: ServiceProcess) -> None:
        """Wait until the strategy has reached the point at which it freezes."""
        deadline = time.monotonic() + END_SECONDS
        status = Path(f"/proc/{service.process.pid}/stat")
        while status.read_text().rsplit(")", 1)[1].split()[0] != "T":
            assert time.monotonic() < deadline, self.output.read_text()[-2000:]
            time.sleep(0.02)

    def leave_order_working(self) -> str:
        """Have the strategy die with one entry at work that nothing fills; return its id."""
        self.run_to_death("PaperBroker.submit:after:1")
        self.database.execute(
            "DELETE FROM stock_aggs bar WHERE NOT EXISTS (SELECT FROM orders placed "
            "WHERE bar.symbol = placed.symbol AND bar.timestamp <= placed.bar_time)"
        )
        return str(self.database.query("SELECT client_order_id FROM orders")[0][0])

    def _environment(self, port: int) -> Mapping[str, str]:
        address = self.database.address
        return {
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TIMESCALEDB_HOST": address.host,
            "TIMESCALEDB_PORT": str(address.port),
            "TIMESCALEDB_USER": address.user,
            "TIMESCALEDB_DATABASE": address.database,
            "TIMESCALEDB_PASSWORD": address.password.get_secret_value(),
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(port),
            "CONFIG_DIR": str(self.folder / "config"),
            "LOGS_DIR": str(self.folder / "logs"),
            "MODELS_DIR": str(self.models_dir),
            "TRADING_SYSTEM": "kill-test",
            **self.environment,
        }
