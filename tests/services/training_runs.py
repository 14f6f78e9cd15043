"""Runs the training program as its Job would: with a job file, in a process of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_services.database.connection import Database

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Ended:
    """How a program ended."""

    code: int
    answer: dict[str, Any]
    log: str


@dataclass
class TrainingRuns:
    """Job files for one database and one folder, and the programs that read them."""

    database: Database
    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)
    port: int = 0  # on which the newest program tells how far it is

    def job(self, **changes: Any) -> dict[str, Any]:
        """Return the content of a job file: a small, quick training of two symbols."""
        address = self.database.address
        password = self.folder / "password"
        password.write_text(address.password.get_secret_value())
        return {
            "job": "daily",
            "uid": "1-2-3",
            "run": 1,
            "system": "autonomous",
            "model": {"type": "lightgbm-direction", "timeframe": "1d"},
            "database": {
                "host": address.host,
                "port": address.port,
                "name": address.database,
                "user": address.user,
                "passwordFile": str(password),
            },
            "dataset": {"symbols": ["AAPL", "IBM"], "minBars": 300},
            "hyperparameters": {"rounds": "30"},
            "validation": {"folds": 3, "embargoBars": 5, "minTrainBars": 250, "holdoutBars": 60},
            "leakageChecks": ["LabelShuffle", "FutureShift"],
            "modelsFolder": str(self.folder / "models"),
            "checkpoints": {
                "folder": str(self.folder / "checkpoints"),
                "everySeconds": 0.01,
                "keep": 2,
            },
            **self.changes,
            **changes,
        }

    def start(self, **changes: Any) -> "subprocess.Popen[str]":
        """Start the program."""
        path = self.folder / "job.json"
        path.write_text(json.dumps(self.job(**changes)))
        self.port = free_port()
        environment = {
            **os.environ,
            "TRADING_TRAINING_JOB": str(path),
            "CONFIG_DIR": str(self.folder),
            "PROGRESS_PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "trading_services", "train"]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, **changes: Any) -> Ended:
        """Run the program to its end; the next one is another run, with a folder of its own."""
        ended = end_of(self.start(**changes))
        if ended.code == 0:
            shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)
        return ended


def end_of(process: "subprocess.Popen[str]") -> Ended:
    """Wait for a program's end and read what it said."""
    log, _ = process.communicate(timeout=120)
    lines = [line for line in log.splitlines() if line.startswith('{"outcome"')]
    return Ended(process.returncode, json.loads(lines[-1]) if lines else {}, log)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
