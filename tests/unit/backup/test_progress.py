"""How far the run is, asked over HTTP."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from trading_backup.progress import Progress, serve_progress


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_starts_with_nothing_known() -> None:
    assert Progress().read() == {
        "phase": "Starting",
        "target": None,
        "done": 0,
        "total": 0,
        "bytes": 0,
        "remainingSeconds": None,
    }


def test_what_is_left_is_told_from_what_the_last_set_took() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.enter_targets("Dumping", ("db", "redis"), {"db": 60.0, "redis": 10.0})
    clock.now = 20.0
    assert progress.read() | {"bytes": 0} == {
        "phase": "Dumping",
        "target": "db",
        "done": 0,
        "total": 2,
        "bytes": 0,
        "remainingSeconds": 50,
    }
    clock.now = 500.0
    assert progress.read()["remainingSeconds"] == 10
    progress.next_target()
    progress.tell_bytes(7)
    assert progress.read() == {
        "phase": "Dumping",
        "target": "redis",
        "done": 1,
        "total": 2,
        "bytes": 7,
        "remainingSeconds": 10,
    }
    progress.tell_share(0.5)
    assert progress.read()["remainingSeconds"] == 5
    progress.next_target()
    assert (progress.read()["target"], progress.read()["remainingSeconds"]) == (None, None)


def test_a_target_without_a_past_makes_no_promise() -> None:
    progress = Progress(Clock())
    progress.enter_targets("Dumping", ("db", "new"), {"db": 60.0})
    assert progress.read()["remainingSeconds"] is None


@pytest.fixture
def address() -> Iterator[str]:
    progress = Progress()
    progress.enter("Verifying")
    server = serve_progress(progress, 0)
    assert server is not None
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_is_served_to_the_operator(address: str) -> None:
    with urllib.request.urlopen(f"{address}/progress", timeout=5) as answer:
        assert json.load(answer)["phase"] == "Verifying"
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{address}/", timeout=5)
    caught.value.close()


def test_a_taken_port_does_not_end_the_run() -> None:
    server = serve_progress(Progress(), 0)
    assert server is not None
    try:
        assert serve_progress(Progress(), server.server_port) is None
    finally:
        server.shutdown()
        server.server_close()
