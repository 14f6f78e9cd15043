"""The tables of the document, as the database itself describes them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.timescale_server import TimescaleServer
from trading_services.database.connection import Database
from trading_services.database.migrations import (
    Migration,
    MigrationError,
    apply_migrations,
    find_unapplied,
    read_migrations,
)

COLUMNS = {
    "stock_aggs": {
        "symbol": ("text", True),
        "timestamp": ("timestamp with time zone", True),
        "open": ("numeric", True),
        "high": ("numeric", True),
        "low": ("numeric", True),
        "close": ("numeric", True),
        "volume": ("numeric", True),
        "timeframe": ("text", True),
        "source": ("text", False),
    },
    "features": {
        "symbol": ("text", True),
        "timestamp": ("timestamp with time zone", True),
        "feature_name": ("text", True),
        "value": ("numeric", True),
        "timeframe": ("text", True),
        "feature_group": ("text", False),
    },
    "positions": {
        "position_id": ("text", True),
        "symbol": ("text", True),
        "entry_price": ("numeric", True),
        "stop_price": ("numeric", False),
        "target_price": ("numeric", False),
        "shares": ("numeric", True),
        "position_value": ("numeric", True),
        "risk_amount": ("numeric", True),
        "entry_time": ("timestamp with time zone", True),
        "exit_time": ("timestamp with time zone", False),
        "exit_price": ("numeric", False),
        "profit_loss": ("numeric", False),
        "status": ("text", True),
        "strategy": ("text", True),
        "conviction_score": ("numeric", False),
        "signal_strength": ("numeric", False),
        "notes": ("text", False),
    },
    "model_registry": {
        "model_id": ("text", True),
        "model_type": ("text", True),
        "timeframe": ("text", True),
        "trained_at": ("timestamp with time zone", True),
        "metrics": ("jsonb", True),
        "hyperparameters": ("jsonb", True),
        "features_used": ("jsonb", True),
        "version": ("text", True),
        "status": ("text", True),
        "file_path": ("text", False),
        "performance_history": ("jsonb", False),
    },
}

PRIMARY_KEYS = {
    "stock_aggs": ("stock_aggs_pkey", "symbol, timestamp, timeframe"),
    "features": ("features_pkey", "symbol, timestamp, feature_name, timeframe"),
    "positions": ("positions_pkey", "position_id"),
    "model_registry": ("model_registry_pkey", "model_id"),
}

INDEXES = {
    "idx_stock_aggs_symbol": ("stock_aggs", "symbol, timeframe, timestamp DESC"),
    "idx_features_symbol": ("features", "symbol, feature_group, timeframe, timestamp DESC"),
    "idx_positions_symbol": ("positions", "symbol"),
    "idx_positions_status": ("positions", "status"),
    "idx_model_registry_type_timeframe": ("model_registry", "model_type, timeframe"),
}


def _document() -> list[Migration]:
    return [one for one in read_migrations() if one.name == "001_document.sql"]


@pytest.fixture(scope="module")
def documented(timescaledb: TimescaleServer) -> Database:
    """A database with the document's file alone."""
    database = Database(timescaledb.create_database("documented"))
    apply_migrations(database, _document())
    return database


@pytest.mark.acceptance("A68", "A70", "A72", "A74")
@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_table_has_exactly_the_documented_columns(documented: Database, table: str) -> None:
    rows = documented.query(
        "SELECT column_name, data_type, is_nullable = 'NO' FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
        (table,),
    )

    assert [(name, (kind, required)) for name, kind, required in rows] == list(
        COLUMNS[table].items()
    )


@pytest.mark.acceptance("A68", "A70", "A72", "A74")
@pytest.mark.parametrize("table", sorted(PRIMARY_KEYS))
def test_table_has_the_documented_primary_key(documented: Database, table: str) -> None:
    rows = documented.query(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype = 'p'",
        (table,),
    )

    name, columns = PRIMARY_KEYS[table]
    found_name, definition = rows[0]
    assert (found_name, definition.replace('"', "")) == (name, f"PRIMARY KEY ({columns})")


@pytest.mark.acceptance("A69", "A71", "A73", "A75")
@pytest.mark.parametrize("index", sorted(INDEXES))
def test_table_has_the_documented_index(documented: Database, index: str) -> None:
    rows = documented.query(
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname = %s",
        (index,),
    )

    table, columns = INDEXES[index]
    assert rows[0][0] == table
    assert rows[0][1].replace('"', "").endswith(f"USING btree ({columns})")


@pytest.mark.acceptance("A69", "A71")
def test_bars_and_features_are_hypertables_on_timestamp(documented: Database) -> None:
    rows = documented.query(
        "SELECT hypertable_name, column_name FROM timescaledb_information.dimensions"
        " ORDER BY hypertable_name"
    )

    assert rows == [("features", "timestamp"), ("stock_aggs", "timestamp")]


@pytest.mark.acceptance("A67")
def test_the_documented_extensions_are_there_and_work(documented: Database) -> None:
    rows = documented.query("SELECT extname FROM pg_extension")

    assert {("timescaledb",), ("pg_stat_statements",)} <= set(rows)
    assert documented.query("SELECT count(*) >= 0 FROM pg_stat_statements") == [(True,)]


@pytest.mark.acceptance("A76")
def test_the_document_can_be_applied_again_over_itself(documented: Database) -> None:
    documented.execute("DELETE FROM schema_migrations")

    assert apply_migrations(documented, _document()) == ["001_document.sql"]


@pytest.mark.acceptance("A19", "A76")
def test_a_database_initialised_by_the_mounted_file_takes_the_migrations(
    empty_database: Database,
) -> None:
    with empty_database.transaction() as cursor:
        cursor.execute(_document()[0].sql)

    assert apply_migrations(empty_database) == [one.name for one in read_migrations()]
    assert find_unapplied(empty_database) == []


def test_migrations_are_applied_once(database: Database) -> None:
    assert apply_migrations(database) == []


def test_two_controllers_at_once_apply_each_migration_once(empty_database: Database) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: apply_migrations(empty_database), range(2)))

    assert sorted(both[0] + both[1]) == [one.name for one in read_migrations()]


def test_a_migration_changed_after_it_was_applied_is_refused(database: Database) -> None:
    changed = Migration("001_document.sql", "SELECT 1")

    with pytest.raises(MigrationError, match=r"001_document\.sql was changed .* into a new one"):
        apply_migrations(database, [changed])


def test_a_failing_migration_leaves_nothing_behind(database: Database) -> None:
    broken = Migration("900_broken.sql", "CREATE TABLE half (x INT); SELECT 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        apply_migrations(database, [broken])
    assert database.query("SELECT to_regclass('half')") == [(None,)]


def test_chunks_span_a_year_so_that_a_decade_of_daily_bars_makes_few(database: Database) -> None:
    rows = database.query("SELECT time_interval FROM timescaledb_information.dimensions")

    assert {interval.days for (interval,) in rows} == {365}
