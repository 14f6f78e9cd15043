"""A database image that is stopped, killed, misconfigured, or given a volume of somebody else."""

import os
import time
from pathlib import Path

import psycopg2
import pytest

from contract.images.database import PGDATA, Volume

PROOF = "CREATE TABLE proof AS SELECT count(*) AS n FROM generate_series(1, 100000);"
# One after the other, what a first start prints on its way.
MILESTONES = (
    "creating configuration files",
    "performing post-bootstrap initialization",
    "database system is ready to accept connections",
    "running /docker-entrypoint-initdb.d/10.sql",
    "server stopped",
)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume("postgresql", tmp_path)


def test_restart_keeps_data_and_does_not_initialise_again(volume: Volume) -> None:
    volume.write_script("10.sql", PROOF)
    with volume.run_ready() as process:
        volume.read("INSERT INTO proof VALUES (7)")
        assert process.stop() == 0
    with volume.run_ready() as process:
        assert volume.read("SELECT n FROM proof ORDER BY n") == [(7,), (100_000,)]
        process.kill()
    with volume.run_ready() as process:
        assert volume.read("SELECT n FROM proof ORDER BY n") == [(7,), (100_000,)]
        assert "first start" not in process.output


def test_stop_does_not_wait_for_clients_that_stay(volume: Volume) -> None:
    with volume.run_ready() as process:
        client = volume.connect()
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 10
        with pytest.raises(psycopg2.OperationalError), client.cursor() as cursor:
            cursor.execute("SELECT 1")


def test_first_start_killed_at_any_moment_is_begun_again(volume: Volume) -> None:
    volume.write_script("10.sql", PROOF)
    for milestone in MILESTONES:
        with volume.run() as process:
            process.wait_until_printed(milestone)
            process.kill()
    with volume.run_ready():
        assert volume.read("SELECT n FROM proof") == [(100_000,)]
    # After the last milestone only the moves are left: that kill may come too late.
    thrown_away = volume.log.read_text().count("an interrupted first start is thrown away")
    assert thrown_away >= len(MILESTONES) - 1
    assert not volume.cluster.joinpath(".initialising").exists()


@pytest.mark.parametrize("published", [False, True], ids=["before", "after"])
def test_kill_around_the_last_move_loses_nothing_and_keeps_nothing_half_made(
    volume: Volume, published: bool
) -> None:
    volume.write_script("10.sql", PROOF)
    with volume.run_ready() as process:
        volume.read("INSERT INTO proof VALUES (7)")
        process.stop()
    volume.unpublish()
    if published:
        staged = volume.cluster / ".initialising" / "data" / "PG_VERSION"
        staged.rename(volume.cluster / "PG_VERSION")
    with volume.run_ready():
        kept = [(7,), (100_000,)] if published else [(100_000,)]
        assert volume.read("SELECT n FROM proof ORDER BY n") == kept
    assert not volume.cluster.joinpath(".initialising").exists()


def test_failing_script_ends_the_start_and_the_mended_one_begins_afresh(volume: Volume) -> None:
    volume.write_script("10.sql", PROOF)
    volume.write_script("20.sql", "SELECT no_such_column;")
    with volume.run() as process:
        assert process.process.wait(timeout=30) != 0
        assert 'column "no_such_column" does not exist' in process.output
    volume.write_script("20.sql", "SELECT 1;")
    with volume.run_ready():
        assert volume.read("SELECT n FROM proof") == [(100_000,)]


def test_volume_with_strange_files_is_refused_and_left_alone(volume: Volume) -> None:
    volume.cluster.mkdir()
    volume.cluster.joinpath("ledger.csv").write_text("precious")
    with volume.run() as process:
        assert process.process.wait(timeout=30) == 1
        assert f"PGDATA: {PGDATA} belongs to uid 0, not to 70" in process.output
    os.chown(volume.cluster, 70, 70)
    with volume.run() as process:
        assert process.process.wait(timeout=30) == 1
        assert "has no PG_VERSION but holds ledger.csv" in process.output
    assert volume.cluster.joinpath("ledger.csv").read_text() == "precious"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD is needed"),
        (
            {"POSTGRES_PASSWORD": "a", "POSTGRES_PASSWORD_FILE": "/run/secrets/database/password"},
            "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set",
        ),
        ({"POSTGRES_PASSWORD_FILE": "/nowhere"}, "POSTGRES_PASSWORD_FILE: /nowhere cannot be read"),
    ],
    ids=["none", "two", "unreadable"],
)
def test_settings_that_make_no_sense_are_named(
    volume: Volume, environment: dict[str, str], message: str
) -> None:
    with volume.run({"PGDATA": PGDATA, **environment}) as process:
        assert process.process.wait(timeout=30) == 1
        assert message in process.output
    assert not any(volume.cluster.iterdir())


def test_only_the_volume_and_the_scratch_folders_are_writable(volume: Volume) -> None:
    volume.write_script(
        "10.sh",
        "for f in / /etc /usr /var/lib /var/lib/postgresql; do\n"
        "  if touch $f/x 2>/dev/null; then echo WRITABLE $f; exit 9; fi\ndone\n"
        "touch /tmp/x /var/run/postgresql/x && echo uid $(id -u) gid $(id -g)\n",
    )
    with volume.run_ready() as process:
        assert "uid 70 gid 70" in process.output
