"""A real service process for tests, spoken to over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.timescale_server import REPOSITORY, find_free_port

_WAIT_SECONDS = 30.0


@dataclass
class ServiceProcess:
    """A started component: where it listens, and where its standard output goes."""

    component: str
    base_url: str
    process: subprocess.Popen[bytes]
    output: Path

    def get(self, path: str) -> httpx.Response:
        """Send a GET."""
        return httpx.get(f"{self.base_url}{path}", timeout=10)

    def post(self, path: str, content: Mapping[str, Any] | None = None) -> httpx.Response:
        """Send a POST with a JSON body."""
        return httpx.post(f"{self.base_url}{path}", json=content, timeout=30)

    def wait_ready(self, seconds: float = _WAIT_SECONDS) -> dict[str, Any]:
        """Wait until /readyz answers 200 and return its content."""
        return self.wait_for("/readyz", lambda answer: answer.status_code == 200, seconds)

    def wait_for(
        self,
        path: str,
        wanted: Callable[[httpx.Response], bool],
        seconds: float = _WAIT_SECONDS,
    ) -> dict[str, Any]:
        """Ask `path` until the answer is the wanted one, and return its JSON content."""
        deadline = time.monotonic() + seconds
        last = "no answer"
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                answer = self.get(path)
            except httpx.TransportError as error:
                last = str(error)
            else:
                if wanted(answer):
                    content: dict[str, Any] = answer.json()
                    return content
                last = answer.text
            time.sleep(0.05)
        raise AssertionError(f"{self.component} {path}: {last}\n{self.read_output()[-3000:]}")

    def wait_state(self, state: str, seconds: float = _WAIT_SECONDS) -> dict[str, Any]:
        """Wait until /readyz names the state, ready or not, and return its content."""
        return self.wait_for("/readyz", lambda answer: answer.json()["state"] == state, seconds)

    def read_metric(self, name: str, labels: Mapping[str, str]) -> float | None:
        """Return the value of one sample of /metrics, or None where there is none."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return next(
            (one.value for one in samples if one.name == name and one.labels == dict(labels)), None
        )

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 20) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def read_output(self) -> str:
        """Return what it has written to standard output and error so far."""
        return self.output.read_text()

    def read_log(self) -> list[dict[str, Any]]:
        """Return the lines of its output, each of which must be a JSON object."""
        return [json.loads(line) for line in self.read_output().splitlines()]


def run_service(component: str, folder: Path, environment: Mapping[str, str]) -> ServiceProcess:
    """Start a component on a free loopback port; its output goes to a file under `folder`."""
    port = find_free_port()
    output = folder / f"{component}-{port}.out"
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "CONFIG_DIR": str(folder / "config"),
        "LOGS_DIR": str(folder / "logs"),
        **environment,
    }
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "trading_services", component],
            env=settings,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return ServiceProcess(component, f"http://127.0.0.1:{port}", process, output)
