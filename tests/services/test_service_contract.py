"""The service contract, the same for every component: probes, logs, metrics, stop, exit codes."""

import json
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.conftest import StartService
from services.timescale_server import find_free_port
from trading_services.data_acquisition.bar_store import insert_bars
from trading_services.database.connection import Database
from trading_services.database.migrations import apply_migrations
from trading_services.market_data.recorded import read_series

COMPONENTS = ("system-controller", "data-acquisition", "feature-engineering")


@pytest.mark.acceptance("A08", "A09", "A46", "A54", "A55", "A56", "A77", "A79")
@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_keeps_the_contract_from_start_to_stop(
    database: Database, start_service: StartService, tmp_path: Path, component: str
) -> None:
    (tmp_path / "logs").mkdir()
    insert_bars(database, read_series("IBM", "1d")[:70])
    service = start_service(component)

    service.wait_ready()
    live, health = service.get("/livez"), service.get("/health")
    memory = service.read_metric("process_resident_memory_bytes", {})
    families = {one.name for one in text_string_to_metric_families(service.get("/metrics").text)}
    exit_code = service.stop()

    assert (live.status_code, live.json()["alive"]) == (200, True)
    assert (health.status_code, health.json()["reasons"]) == (200, {})
    assert {"trading_loop_turns", "trading_service_ready", "process_resident_memory_bytes"} <= (
        families
    )
    assert memory is not None
    assert memory < 150 * 2**20
    assert exit_code == 0
    lines = service.read_log()
    assert [line["event"] for line in lines if line["event"] == "stopped"] == ["stopped"]
    for line in lines:
        assert {"timestamp", "level", "logger", "component", "event"} <= line.keys()
        assert line["component"] == component
    assert (tmp_path / "logs" / f"{component}.log").read_text() == service.read_output()
    password = database.address.password.get_secret_value()
    assert password not in service.read_output() + health.text


def test_features_of_a_decade_stay_within_the_memory_of_a_small_pod(
    database: Database, start_service: StartService
) -> None:
    insert_bars(database, read_series("IBM", "1d"))
    service = start_service("feature-engineering")
    service.wait_ready()

    used = service.read_metric("process_resident_memory_bytes", {})

    assert used is not None
    assert used < 160 * 2**20


@pytest.mark.acceptance("A53")
def test_it_waits_for_the_database_alive_but_not_ready_and_then_gives_up(
    start_service: StartService,
) -> None:
    service = start_service(
        "system-controller",
        TIMESCALEDB_PORT=str(find_free_port()),
        DATABASE_WAIT_SECONDS="1.5",
    )

    answer = service.wait_for("/readyz", lambda answer: answer.status_code == 503)

    assert "Connection refused" in answer["reasons"]["loop"]
    assert service.get("/livez").status_code == 200
    assert service.process.wait(timeout=20) == 75
    assert service.read_log()[-1]["event"] == "stopped"


@pytest.mark.acceptance("A41", "A42", "A53")
def test_it_waits_for_the_migrations_of_the_system_controller(
    empty_database: Database, start_service: StartService
) -> None:
    service = start_service("data-acquisition", REPLAY_SPEED="0")
    service.wait_for(
        "/readyz",
        lambda answer: "waiting for migrations" in answer.json()["reasons"].get("loop", ""),
    )

    apply_migrations(empty_database)

    service.wait_ready()


@pytest.mark.parametrize(
    ("component", "file", "content", "field"),
    [
        ("data-acquisition", "data_config.json", {"feeds": []}, "feeds"),
        (
            "feature-engineering",
            "feature_config.json",
            {"groups": {"trend": {"sma_windows": [1]}}},
            "groups.trend.sma_windows.0",
        ),
        (
            "system-controller",
            "market_hours.json",
            {"markets": [{"name": "X"}]},
            "markets.0.timezone",
        ),
        ("system-controller", "logging.yaml", {"level": "LOUD"}, "level"),
    ],
)
def test_a_wrong_configuration_ends_it_with_78_and_one_clear_line(
    start_service: StartService,
    tmp_path: Path,
    component: str,
    file: str,
    content: object,
    field: str,
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / file).write_text(json.dumps(content))
    service = start_service(component)

    assert service.process.wait(timeout=20) == 78

    (line,) = service.read_log()
    assert line["event"] == "configuration refused"
    assert line["source"] == str(tmp_path / "config" / file)
    assert line["field"] == field


def test_the_log_level_may_be_set_by_a_variable(
    database: Database, start_service: StartService
) -> None:
    service = start_service("system-controller", LOG_LEVEL="WARNING")
    service.wait_ready()
    service.stop()

    assert service.read_log() == []


def test_a_stop_that_comes_during_the_imports_is_obeyed_afterwards(
    database: Database, start_service: StartService
) -> None:
    service = start_service("system-controller")
    status = Path(f"/proc/{service.process.pid}/status")
    # Bit 14 of the blocked signals is SIGTERM.
    while not _blocked_signals(status) & 1 << 14:
        time.sleep(0.005)

    assert service.stop() == 0


def _blocked_signals(status: Path) -> int:
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["SigBlk"], 16)


def test_a_port_in_use_ends_it_with_one_clear_line(
    database: Database, start_service: StartService
) -> None:
    first = start_service("system-controller")
    first.wait_ready()
    port = str(httpx.URL(first.base_url).port)

    second = start_service("system-controller", HTTP_PORT=port)

    assert second.process.wait(timeout=20) == 1
    (line,) = second.read_log()
    assert (line["event"], line["port"]) == ("cannot listen", int(port))


def test_while_the_database_is_away_it_is_alive_not_ready_and_comes_back(
    database: Database, start_service: StartService
) -> None:
    name = database.address.database
    service = start_service("feature-engineering", FEATURE_POLL_SECONDS="0.1")
    insert_bars(database, read_series("IBM", "1d")[:70])
    service.wait_ready()

    _allow_connections(database, name, allowed=False)
    service.wait_for(
        "/readyz",
        lambda answer: (
            answer.status_code == 503
            and "not currently accepting" in answer.json()["reasons"].get("database", "")
        ),
    )
    assert service.get("/livez").status_code == 200
    assert service.get("/metrics").status_code == 200

    _allow_connections(database, name, allowed=True)
    service.wait_ready()


def _allow_connections(database: Database, name: str, *, allowed: bool) -> None:
    admin = Database(
        database.address.__class__(**{**vars(database.address), "database": "trading"})
    )
    admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}')
    admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
    )
    admin.close()


def test_a_loop_that_stands_still_is_no_longer_alive(
    database: Database, start_service: StartService
) -> None:
    service = start_service("data-acquisition", LOOP_DEADLINE_SECONDS="0.8", REPLAY_SPEED="50")
    service.wait_ready()

    # A lock that the next insert waits for stands for any call that never returns.
    holder = database.connect()
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE stock_aggs IN ACCESS EXCLUSIVE MODE")
        service.wait_for("/livez", lambda answer: answer.status_code == 503)
    holder.rollback()
    holder.close()

    service.wait_for("/livez", lambda answer: answer.status_code == 200)


def test_probes_answer_quickly_while_the_loop_works(
    database: Database, start_service: StartService
) -> None:
    service = start_service("data-acquisition", REPLAY_SPEED="2000")
    service.wait_ready()

    started = time.monotonic()
    with httpx.Client(base_url=service.base_url) as client:
        codes = [client.get("/health").status_code for _ in range(20)]

    assert codes == [200] * 20
    assert (time.monotonic() - started) / 20 < 0.5
