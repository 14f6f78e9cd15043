"""PostgreSQL and TimescaleDB by dumps, end to end on real databases."""

import json
import threading
from typing import Any

import pytest

from contract.backup.backup_job import BackupJob, change_manifest, wait_for
from contract.backup.servers import Servers, on_both
from contract.images.image_process import poll

ORDERS = """
CREATE TABLE orders (id bigserial PRIMARY KEY, at timestamptz NOT NULL, price numeric, note text);
INSERT INTO orders (at, price, note)
SELECT timestamptz '2026-11-01' + n * interval '1 minute', n * 1.25, repeat('x', n % 50)
FROM generate_series(1, 5000) n;
CREATE SCHEMA risk;
CREATE TABLE risk."Odd name" (day date, "limit" double precision, parts jsonb);
INSERT INTO risk."Odd name" VALUES ('2026-11-29', 0.1, '{"a": [1, 2]}'), (NULL, 'NaN', NULL);
CREATE TABLE empty_one (n int);
CREATE MATERIALIZED VIEW daily AS SELECT at::date AS day, count(*) FROM orders GROUP BY 1;
"""
BARS = """
CREATE TABLE bars (at timestamptz NOT NULL, symbol text, close numeric);
SELECT create_hypertable('bars', 'at', chunk_time_interval => interval '7 days');
INSERT INTO bars
SELECT timestamptz '2026-01-01' + n * interval '6 hours', 'S' || n % 3, n
FROM generate_series(1, 1000) n;
"""


def _fill(servers: Servers, database: str) -> None:
    servers.source.read(ORDERS, database)
    if servers.engine == "TimescaleDB":
        servers.source.read(BARS, database)


def _drill(servers: Servers, job: BackupJob, **fields: Any) -> dict[str, Any]:
    """Fields of a drill into a new, empty database."""
    return {"targets": [servers.target_of(servers.target, servers.make_database())], **fields}


@on_both
@pytest.mark.acceptance("A63", "C65", "X06")
def test_a_backup_is_published_verified_and_proven_by_restoring_it(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
    made = job.run("backup").check().answer
    assert made["mode"] == "Full"
    assert made["newestVerified"] == made["set"]
    assert made["sets"] == 1
    assert made["bytes"] > 100_000 > 0 < made["addedBytes"]
    assert [target["name"] for target in made["targets"]] == ["db"]
    assert job.locks == []

    assert job.run("verify").check().answer["set"] == made["set"]

    fields = _drill(
        servers,
        job,
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
    _fill(servers, source)
    job.run("backup").check()
    fields = _drill(servers, job)
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
    proven = job.run("drill", **_drill(servers, job)).check().answer
    rows = {"target": "db", "fact": f"rows of {table}", "expected": "2", "found": "2"}
    assert rows | {"equal": True} in proven["comparison"]


@on_both
def test_facts_are_those_of_the_dump_while_others_write_and_truncate(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
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
    proven = job.run("drill", **_drill(servers, job)).check().answer
    assert proven["different"] == 0
    # What is truncated all the time may be told as unknown; what is only written is compared.
    assert any(each["fact"] == "rows of public.orders" for each in proven["comparison"])


def test_an_empty_database_is_backed_up_and_restored(servers: Servers, job: BackupJob) -> None:
    servers.source.read("DROP EXTENSION IF EXISTS timescaledb", str(job.targets[0]["database"]))
    job.run("backup").check()
    assert job.run("drill", **_drill(servers, job)).check().answer["compared"] == 0


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


def test_roles_come_back_where_they_are_missing_and_no_password_changes(
    servers: Servers, source: str, job: BackupJob
) -> None:
    role = f"desk_{source}"
    servers.source.read(f"CREATE ROLE {role} LOGIN PASSWORD 'of the desk'")
    _fill(servers, source)
    servers.source.read(f"GRANT SELECT ON orders TO {role}; GRANT {role} TO trader", source)
    job.run("backup").check()
    fields = _drill(servers, job)
    job.run("drill", **fields).check()
    restored = fields["targets"][0]["database"]
    assert servers.target.read(
        f"SELECT has_table_privilege('{role}', 'orders', 'SELECT'), rolcanlogin "
        f"FROM pg_roles WHERE rolname = '{role}'",
        restored,
    ) == [(True, True)]
    # The server's own password still opens it: Volume connects with it.
    assert servers.target.answers()


def test_a_database_with_data_is_refused_and_left_alone(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
    job.run("backup").check()
    fields = _drill(servers, job)
    database = fields["targets"][0]["database"]
    servers.target.read("CREATE TABLE precious AS SELECT 1 AS n", database)
    for command in ("drill", "restore"):
        ended = job.run(command, **fields).failed("TargetNotEmpty", 42)
        assert "holds 1 tables" in ended.answer["message"]
    assert servers.target.read("SELECT n FROM precious", database) == [(1,)]


def test_a_restore_in_place_takes_the_name_and_keeps_the_former_database(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
    job.run("backup").check()
    database = servers.make_database()
    servers.target.read("CREATE TABLE orders AS SELECT 'former' AS said", database)
    fields = {
        "targets": [servers.target_of(servers.target, database)],
        "restore": {"mode": "InPlace"},
    }
    client = servers.target.connect(database)
    ended = job.run("restore", **fields).check()
    client.close()
    assert servers.target.read("SELECT count(*) FROM orders", database) == [(5000,)]
    assert any(f"kept as {database}_replaced" in text for text in ended.answer["warnings"])
    servers.target.read(f"ALTER DATABASE {database}_replaced WITH ALLOW_CONNECTIONS true")
    assert servers.target.read("SELECT said FROM orders", f"{database}_replaced") == [("former",)]
    job.run("restore", **fields).check()
    assert servers.target.read("SELECT count(*) FROM orders", database) == [(5000,)]


def test_a_restore_whose_pod_is_made_anew_keeps_what_the_first_one_replaced(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
    job.run("backup").check()
    database = servers.make_database()
    servers.target.read("CREATE TABLE orders AS SELECT 'former' AS said", database)
    into = [servers.target_of(servers.target, database)]

    def restore(name: str, mode: str = "InPlace") -> None:
        job.run("restore", targets=into, restore={"mode": mode, "id": name}).check()

    def replaced(column: str) -> list[tuple[object, ...]]:
        servers.target.read(f"ALTER DATABASE {database}_replaced WITH ALLOW_CONNECTIONS true")
        return servers.target.read(f"SELECT {column} FROM orders", f"{database}_replaced")

    for _ in range(2):
        restore("first")
        assert replaced("said") == [("former",)]
        assert servers.target.read("SELECT count(*) FROM orders", database) == [(5000,)]
    servers.target.read(f"DROP DATABASE {database} WITH (FORCE)")
    servers.target.read(f"CREATE DATABASE {database}")
    restore("into-an-empty-one", "Empty")
    assert replaced("said") == [("former",)]
    restore("second")
    assert replaced("said") == [("former",)]
    left = f"SELECT datname FROM pg_database WHERE datname LIKE '{database}\\_%' ORDER BY 1"
    names = [f"{database}_replaced", f"{database}_replaced_2"]
    assert servers.target.read(left) == [(name,) for name in names]


def test_a_restore_that_is_stopped_in_the_exchange_leaves_the_database_as_it_was(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
    job.run("backup").check()
    database = servers.make_database()
    servers.target.read("CREATE TABLE orders AS SELECT 'former' AS said", database)
    fields = {
        "targets": [servers.target_of(servers.target, database)],
        "restore": {"mode": "InPlace", "id": "first"},
        "assertions": [{"target": "db", "sql": "SELECT true FROM pg_sleep(4)"}],
    }
    blocker = servers.target.connect("postgres")
    blocker.autocommit = False
    with job.started("restore", **fields) as process, blocker.cursor() as cursor:
        wait_for(lambda: '"Comparing"' in process.output)
        # The exchange comments on what it puts away: by then the database is closed.
        cursor.execute("LOCK TABLE pg_shdescription IN SHARE MODE")
        waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COMMENT ON DATABASE%'"
        wait_for(lambda: servers.target.read(waits) != [(0,)])
        job.ended(process.stop(), process).failed("Terminated")
    blocker.close()
    assert servers.target.read("SELECT said FROM orders", database) == [("former",)]
    # One that is killed there leaves it closed: the next one opens it.
    servers.target.read(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS false")
    ended = job.run("restore", **fields).check()
    assert any("it was closed for connections" in text for text in ended.answer["warnings"])
    assert servers.target.read("SELECT count(*) FROM orders", database) == [(5000,)]


def test_the_restored_database_is_made_like_the_former_one_and_lost_grants_are_told(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
    job.run("backup").check()
    database = f"like_{servers.make_database()}"
    servers.target.read(
        f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' "
        "LC_CTYPE 'C' LOCALE_PROVIDER libc"
    )
    servers.target.read(f"GRANT CONNECT ON DATABASE {database} TO PUBLIC")
    into = [servers.target_of(servers.target, database)]
    ended = job.run("restore", targets=into).check()
    assert any("grant again on the database" in text for text in ended.answer["warnings"])
    made = f"""SELECT pg_encoding_to_char(encoding), datcollate, datctype
        FROM pg_database WHERE datname = '{database}'"""
    assert servers.target.read(made) == [("LATIN1", "C", "C")]


def test_data_that_differ_from_their_facts_are_no_proof(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
    job.run("backup").check()
    change_manifest(job, '"rows": 5000', '"rows": 5001')
    fields = _drill(servers, job)
    ended = job.run("drill", **fields).failed("DataDiffer")
    restoring = f"{fields['targets'][0]['database']}_restoring"
    left = f"SELECT count(*) FROM pg_database WHERE datname = '{restoring}'"
    assert servers.target.read(left) == [(0,)]
    assert ended.answer["different"] == 1
    assert ended.answer["comparison"][0] == {
        "target": "db",
        "fact": "rows of public.orders",
        "expected": "5001",
        "found": "5000",
        "equal": False,
    }
    # What does not count takes no place: the database is as empty as it was.
    assert servers.target.read(
        "SELECT count(*) FROM pg_tables WHERE tablename = 'orders'",
        fields["targets"][0]["database"],
    ) == [(0,)]
    assert '"restoredAt"' not in job.run("list").check().log


def test_an_assertion_that_is_not_true_fails_the_drill_and_cannot_write(
    servers: Servers, source: str, job: BackupJob
) -> None:
    _fill(servers, source)
    job.run("backup").check()
    untrue = {"name": "many", "target": "db", "sql": "select count(*) > 9999 from orders"}
    ended = job.run("drill", **_drill(servers, job, assertions=[untrue])).failed("AssertionFailed")
    assert ended.answer["untrue"] == ["db: many: select count(*) > 9999 from orders"]
    writing = {"name": "writes", "target": "db", "sql": "delete from orders returning true"}
    ended = job.run("drill", **_drill(servers, job, assertions=[writing])).failed("TargetRefused")
    assert "read-only transaction" in ended.answer["message"]


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
    _fill(servers, source)
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
    assert job.run("drill", **_drill(servers, job)).check().answer["different"] == 0
