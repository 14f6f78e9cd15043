"""PostgreSQL and TimescaleDB by dumps, end to end on real databases."""

import json
import threading

import pytest

from contract.backup.backup_job import BackupJob, wait_for
from contract.backup.market import fill, in_a_drill
from contract.backup.servers import Servers, on_both
from contract.images.image_process import poll


@on_both
@pytest.mark.acceptance("A63", "C65", "X06")
def test_a_backup_is_published_verified_and_proven_by_restoring_it(
    servers: Servers, source: str, job: BackupJob
) -> None:
    fill(servers, source)
    made = job.run("backup").check().answer
    assert made["mode"] == "Full"
    assert made["newestVerified"] == made["set"]
    assert made["sets"] == 1
    assert made["bytes"] > 100_000 > 0 < made["addedBytes"]
    assert [target["name"] for target in made["targets"]] == ["db"]
    assert job.locks == []

    assert job.run("verify").check().answer["set"] == made["set"]

    fields = in_a_drill(
        servers,
        assertions=[{"name": "filled", "target": "db", "sql": "select count(*) > 0 from orders"}],
    )
    proven = job.run("drill", **fields).check().answer
    tables = 4 if servers.engine == "TimescaleDB" else 3
    assert proven["different"] == 0
    assert proven["compared"] >= 2 * tables
    rows = {"target": "db", "fact": "rows of public.orders", "expected": "5000", "found": "5000"}
    assert rows | {"equal": True} in proven["comparison"]
    assert proven["dataAsOf"] == made["dataAsOf"]
    assert 0 < proven["rtoSeconds"] < 120
    restored = fields["targets"][0]["database"]
    query = "SELECT count(*), sum(price), max(at) FROM orders"
    assert servers.target.read(query, restored) == servers.source.read(query, source)
    assert servers.target.read("SELECT count(*) FROM daily", restored) != [(0,)]
    # The next key comes after those that are there.
    assert servers.target.read("SELECT nextval('orders_id_seq')", restored) == [(5001,)]
    listed = job.run("list").check()
    assert listed.answer["sets"] == 1
    assert '"restoredAt"' in listed.log


def test_a_hypertable_is_one_again_after_the_restore(
    servers: Servers, source: str, job: BackupJob
) -> None:
    fill(servers, source)
    job.run("backup").check()
    fields = in_a_drill(servers)
    job.run("drill", **fields).check()
    restored = fields["targets"][0]["database"]
    chunks = "SELECT count(*) FROM show_chunks('bars')"
    assert servers.target.read(chunks, restored) == servers.source.read(chunks, source)
    servers.target.read("INSERT INTO bars VALUES ('2027-06-01', 'N', 1)", restored)
    [(before,)] = servers.source.read(chunks, source)
    assert servers.target.read(chunks, restored) == [(int(str(before)) + 1,)]
    assert servers.target.read("SHOW timescaledb.restoring", restored) == [("off",)]
    failing = """SELECT count(*) FROM _timescaledb_config.bgw_job
        WHERE proc_name = 'policy_job_stat_history_retention' AND scheduled"""
    assert servers.target.read(failing, restored) == [(0,)]


def test_what_continuous_aggregates_hold_is_compared(
    servers: Servers, source: str, job: BackupJob
) -> None:
    # Our image's licence knows no such aggregates: this is how the extension stores one.
    table = "_timescaledb_internal._materialized_hypertable_77"
    servers.source.read(f"CREATE TABLE {table} (bucket timestamptz NOT NULL, n int)", source)
    servers.source.read(f"SELECT create_hypertable('{table}', 'bucket')", source)
    servers.source.read(f"INSERT INTO {table} VALUES ('2026-11-01', 1), ('2026-01-01', 2)", source)
    job.run("backup").check()
    proven = job.run("drill", **in_a_drill(servers)).check().answer
    rows = {"target": "db", "fact": f"rows of {table}", "expected": "2", "found": "2"}
    assert rows | {"equal": True} in proven["comparison"]


@on_both
def test_facts_are_those_of_the_dump_while_others_write_and_truncate(
    servers: Servers, source: str, job: BackupJob
) -> None:
    fill(servers, source)
    servers.source.read("CREATE TABLE hot AS SELECT n FROM generate_series(1, 20000) n", source)
    done = threading.Event()

    def write() -> None:
        connection = servers.source.connect(source)
        with connection.cursor() as cursor:
            while not done.is_set():
                cursor.execute("INSERT INTO orders (at, price) VALUES (now(), random())")
                cursor.execute("UPDATE orders SET price = price + 1 WHERE id % 100 = 0")
                cursor.execute("TRUNCATE hot")
                cursor.execute("INSERT INTO hot SELECT generate_series(1, 100)")
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = job.run("backup").check().answer
    finally:
        done.set()
        writer.join()
    assert not any("orders" in text for text in made["warnings"])
    proven = job.run("drill", **in_a_drill(servers)).check().answer
    assert proven["different"] == 0
    # What is truncated all the time may be told as unknown; what is only written is compared.
    assert any(each["fact"] == "rows of public.orders" for each in proven["comparison"])


def test_an_empty_database_is_backed_up_and_restored(servers: Servers, job: BackupJob) -> None:
    servers.source.read("DROP EXTENSION IF EXISTS timescaledb", str(job.targets[0]["database"]))
    job.run("backup").check()
    assert job.run("drill", **in_a_drill(servers)).check().answer["compared"] == 0


def test_all_databases_of_a_set_are_of_one_moment(servers: Servers, job: BackupJob) -> None:
    names = {name: servers.make_source() for name in ("first", "second")}
    for database in names.values():
        servers.source.read("CREATE TABLE orders AS SELECT 1 AS n", database)
    targets = [{**servers.target_of(servers.source, d), "name": n} for n, d in names.items()]
    blocker = servers.source.connect(names["first"])
    blocker.autocommit = False
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    with job.started("backup", targets=targets) as process:
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_for(lambda: servers.source.read(waits) != [(0,)])
        # The second database's turn has not come yet, and its moment has.
        servers.source.read("INSERT INTO orders VALUES (2)", names["second"])
        blocker.close()
        job.ended(process.process.wait(120), process).check()
    restored = {name: servers.make_database() for name in names}
    into = [{**servers.target_of(servers.target, d), "name": n} for n, d in restored.items()]
    assert job.run("drill", targets=into).check().answer["different"] == 0
    assert servers.target.read("SELECT count(*) FROM orders", restored["second"]) == [(1,)]


def test_a_table_that_is_rewritten_before_its_dump_begins_keeps_its_rows(
    servers: Servers, job: BackupJob
) -> None:
    names = {name: servers.make_source() for name in ("first", "second")}
    for database in names.values():
        servers.source.read("CREATE TABLE orders AS SELECT 1 AS n", database)
    targets = [{**servers.target_of(servers.source, d), "name": n} for n, d in names.items()]
    blocker = servers.source.connect(names["first"])
    blocker.autocommit = False
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    with job.started("backup", targets=targets) as process:
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_for(lambda: servers.source.read(waits) != [(0,)])
        servers.source.read("ALTER TABLE orders ALTER n TYPE bigint", names["second"])
        blocker.close()
        ended = job.ended(process.process.wait(120), process).check()
    [told] = ended.answer["warnings"][1:]
    assert told.startswith("second: of a later moment than the other targets")
    restored = {name: servers.make_database() for name in names}
    into = [{**servers.target_of(servers.target, d), "name": n} for n, d in restored.items()]
    proven = job.run("drill", targets=into).check().answer
    assert (proven["compared"], proven["different"]) == (4, 0)
    assert servers.target.read("SELECT count(*) FROM orders", restored["second"]) == [(1,)]


def test_a_database_whose_tables_are_rewritten_all_the_time_makes_no_set(
    servers: Servers, source: str, job: BackupJob
) -> None:
    count = 600
    for number in range(count):
        servers.source.read(f"CREATE TABLE t{number} AS SELECT 1 AS n", source)
    done = threading.Event()

    def rewrite() -> None:
        connection = servers.source.connect(source)
        with connection.cursor() as cursor:
            for number in range(100 * count):
                if done.wait(0.02):
                    break
                cursor.execute(f"TRUNCATE t{number % count}")
        connection.close()

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        ended = job.run("backup").failed("DumpFailed")
    finally:
        done.set()
        writer.join()
    assert "each time that the dump began" in ended.answer["message"]
    assert job.locks == []
    assert job.run("list").check().answer["sets"] == 0
    assert job.run("backup").check().answer["sets"] == 1


@pytest.mark.acceptance("A64", "X06")
def test_a_dump_that_dies_makes_no_backup(servers: Servers, source: str, job: BackupJob) -> None:
    servers.source.read(
        "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 300) AS filler "
        "FROM generate_series(1, 20000) n; "
        "ALTER TABLE big ALTER filler SET STORAGE EXTERNAL",
        source,
    )
    job.run("backup").check()
    kill = (
        "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{source}' AND query LIKE 'COPY public.big%') AS killed"
    )
    with job.started("backup") as process:
        assert poll(lambda: servers.source.read(kill) != [(0,)], 60)
        ended = job.ended(process.process.wait(120), process)
    ended.failed("DumpFailed")
    assert "pg_dump ended with" in ended.answer["message"]
    assert job.locks == []
    assert job.run("list").check().answer["sets"] == 1
    # The next run sweeps what the killed one left, and is a backup again.
    assert job.run("backup").check().answer["sets"] == 2
    tags = [item["tags"] for item in json.loads(job.run_program("restic", "snapshots", "--json"))]
    sets = {tag for item in tags for tag in item if tag.startswith("set=")}
    assert len(sets) == 2


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
def test_a_run_that_is_stopped_or_killed_costs_the_next_one_nothing(
    servers: Servers, source: str, job: BackupJob, signal: str
) -> None:
    fill(servers, source)
    servers.source.read("CREATE TABLE held (n int)", source)
    blocker = servers.source.connect(source)
    blocker.autocommit = False
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
    with job.started("backup") as process:
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'held'::regclass"
        wait_for(lambda: servers.source.read(waits, source) != [(0,)])
        if signal == "SIGTERM":
            ended = job.ended(process.stop(), process).failed("Terminated")
            assert "told to stop" in ended.answer["message"]
            assert job.locks == []
        else:
            process.kill()
    blocker.close()
    ended = job.run("backup").check()
    assert ended.answer["sets"] == 1
    assert job.run("drill", **in_a_drill(servers)).check().answer["different"] == 0
