"""What a database image makes of an empty volume."""

import gzip
from collections.abc import Iterator

import psycopg2
import pytest

from contract.images.database import Volume

IMAGES = ("postgresql", "timescaledb")


def _write_scripts(volume: Volume) -> None:
    volume.write_script("10-table.sql", "CREATE TABLE trace (n int, said text);")
    volume.write_script(
        "20-shell.sh",
        'psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<SQL\n'
        "INSERT INTO trace VALUES (20, 'listens on ''$(psql -U \"$POSTGRES_USER\" -d postgres -Atc "
        "'SHOW listen_addresses')''');\nSQL\n",
    )
    packed = gzip.compress(b"INSERT INTO trace VALUES (30, current_database());")
    (volume.folder / "scripts" / "30-packed.sql.gz").write_bytes(packed)
    volume.write_script("README", "not a script")


@pytest.fixture(scope="module", params=IMAGES)
def volume(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Volume]:
    made = Volume(request.param, tmp_path_factory.mktemp(request.param))
    _write_scripts(made)
    with made.run_ready():
        yield made


@pytest.mark.acceptance("A19")
def test_init_scripts_run_in_name_order_before_anybody_can_connect(volume: Volume) -> None:
    assert volume.read("SELECT n, said FROM trace ORDER BY ctid") == [
        (20, "listens on ''"),
        (30, "trading"),
    ]


@pytest.mark.acceptance("A37")
def test_password_comes_from_the_mounted_file_and_a_wrong_one_is_refused(volume: Volume) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        volume.connect(password="guessed")
    assert volume.read("SHOW password_encryption") == [("scram-sha-256",)]


def test_data_is_checksummed(volume: Volume) -> None:
    assert volume.read("SHOW data_checksums") == [("on",)]


@pytest.mark.acceptance("A67")
def test_statement_statistics_are_available_without_any_argument(volume: Volume) -> None:
    volume.read("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    [(calls,)] = volume.read("SELECT count(*) > 0 FROM pg_stat_statements")
    assert calls is True


@pytest.mark.acceptance("A35", "A67")
def test_timescaledb_is_in_every_database_and_makes_hypertables(volume: Volume) -> None:
    if volume.image != "timescaledb":
        installed = volume.read("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
        assert installed == []
        return
    volume.read("CREATE DATABASE another")
    for database in ("trading", "another", "template1"):
        found = volume.read("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'", database)
        assert found == [(1,)], database
    volume.read("CREATE TABLE bars (at timestamptz NOT NULL, close numeric)")
    volume.read("SELECT create_hypertable('bars', 'at')")
    volume.read("INSERT INTO bars VALUES ('2026-01-02', 10), ('2026-03-02', 11)")
    assert volume.read("SELECT count(*) FROM show_chunks('bars')") == [(2,)]
