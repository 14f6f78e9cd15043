"""Log lines are JSON objects, and no secret gets into one."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from trading_services.contract.logs import (
    LoggingConfig,
    configure_logging,
    get_logger,
    redact_secrets,
)


@pytest.fixture
def stream(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What the process writes to standard output; logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield capsys
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def _lines(stream: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.readouterr().out.splitlines()]


@pytest.mark.acceptance("A08", "A77")
def test_own_and_foreign_records_are_json_objects_of_one_shape(
    stream: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure_logging(LoggingConfig(), "data-acquisition", tmp_path / "absent")

    get_logger("own").info("bar stored", symbol="AAPL")
    logging.getLogger("foreign").warning("odd %s", "thing")

    own, foreign = _lines(stream)
    assert own["event"] == "bar stored"
    assert own["symbol"] == "AAPL"
    assert foreign["event"] == "odd thing"
    assert foreign["level"] == "warning"
    for line in (own, foreign):
        assert line["component"] == "data-acquisition"
        assert line["timestamp"].endswith("Z")
        assert line["logger"] in ("own", "foreign")


def test_a_traceback_stays_in_its_line(stream: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    configure_logging(LoggingConfig(), "x", tmp_path / "absent")

    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError as error:
        get_logger("own").error("failed", exc_info=error)

    (line,) = _lines(stream)
    assert "RuntimeError: first" in line["exception"]


@pytest.mark.acceptance("A46")
def test_lines_also_go_to_the_logs_folder_where_there_is_one(
    stream: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure_logging(LoggingConfig(), "system-controller", tmp_path)

    get_logger("own").info("hello")

    (line,) = (tmp_path / "system-controller.log").read_text().splitlines()
    assert json.loads(line)["event"] == "hello"


def test_levels_of_single_loggers_are_obeyed(
    stream: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = LoggingConfig(level="WARNING", loggers={"chatty": "ERROR"})
    configure_logging(config, "x", tmp_path / "absent")

    logging.getLogger("chatty").warning("not shown")
    logging.getLogger("other").warning("shown")
    logging.getLogger("other").info("not shown")

    assert [line["event"] for line in _lines(stream)] == ["shown"]


@pytest.mark.acceptance("A79")
@pytest.mark.parametrize(
    "event",
    [
        {"password": "hunter2"},
        {"ALPACA_API_KEY": "hunter2"},
        {"event": "connecting to postgresql://trading:hunter2@db/trading"},
        {"event": "dsn: host=db password=hunter2 user=x"},
        {"error": "bad token: hunter2"},
    ],
)
def test_secrets_are_blanked(event: dict[str, str]) -> None:
    assert "hunter2" not in json.dumps(redact_secrets(None, "info", dict(event)))


def test_ordinary_text_is_left_alone() -> None:
    event = {"event": "3 tokens of https://example.org/a:b read", "symbol": "AAPL"}

    assert redact_secrets(None, "info", dict(event)) == event
