"""The node, the operator and the example of the e2e tier, and the image with PyTorch."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import load_images
from demo.kubectl import Tools
from demo.steps import ROOT
from e2e.conftest import example, prepared, started, trading
from e2e.trading_cluster import TradingCluster
from e2e.trainings import Trainings

__all__ = ["example", "prepared", "started", "trading"]
IMAGE = "model-training-torch"


@pytest.fixture(scope="session")
def sequence_image(prepared: tuple[Tools, list[Path]]) -> None:
    """The node has the image; it takes minutes, in which the example would run out of bars."""
    images = (sys.executable, "-m", "images")
    subprocess.run([*images, "build", IMAGE], cwd=ROOT, check=True)
    told = subprocess.check_output([*images, "layouts", IMAGE], cwd=ROOT, text=True)
    load_images([Path(line) for line in told.splitlines()], "embedded")


@pytest.fixture(scope="session")
def trainings(sequence_image: None, trading: TradingCluster, example: str) -> Iterator[Trainings]:
    """ModelTrainingJobs beside the example, which has just begun."""
    yield Trainings(trading, example)
    trading.kubectl("delete", "modeltrainingjobs", "--all", "-n", example, "--timeout=60s")
