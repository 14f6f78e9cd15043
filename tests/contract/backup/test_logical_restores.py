"""Dumps of PostgreSQL and TimescaleDB restored: what comes back, is replaced, is refused."""

from contract.backup.backup_job import BackupJob, change_manifest, wait_for
from contract.backup.market import fill, in_a_drill
from contract.backup.servers import Servers


def _back_up_beside_a_former_one(servers: Servers, source: str, job: BackupJob) -> str:
    """Take a backup; return a database of the target whose orders are other ones."""
    fill(servers, source)
    job.run("backup").check()
    database = servers.make_database()
    servers.target.read("CREATE TABLE orders AS SELECT 'former' AS said", database)
    return database


def test_roles_come_back_where_they_are_missing_and_no_password_changes(
    servers: Servers, source: str, job: BackupJob
) -> None:
    role = f"desk_{source}"
    servers.source.read(f"CREATE ROLE {role} LOGIN PASSWORD 'of the desk'")
    fill(servers, source)
    servers.source.read(f"GRANT SELECT ON orders TO {role}; GRANT {role} TO trader", source)
    job.run("backup").check()
    fields = in_a_drill(servers)
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
    fill(servers, source)
    job.run("backup").check()
    fields = in_a_drill(servers)
    database = fields["targets"][0]["database"]
    servers.target.read("CREATE TABLE precious AS SELECT 1 AS n", database)
    for command in ("drill", "restore"):
        ended = job.run(command, **fields).failed("TargetNotEmpty", 42)
        assert "holds 1 tables" in ended.answer["message"]
    assert servers.target.read("SELECT n FROM precious", database) == [(1,)]


def test_a_restore_in_place_takes_the_name_and_keeps_the_former_database(
    servers: Servers, source: str, job: BackupJob
) -> None:
    database = _back_up_beside_a_former_one(servers, source, job)
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
    database = _back_up_beside_a_former_one(servers, source, job)
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
    database = _back_up_beside_a_former_one(servers, source, job)
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
    fill(servers, source)
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
    fill(servers, source)
    job.run("backup").check()
    change_manifest(job, '"rows": 5000', '"rows": 5001')
    fields = in_a_drill(servers)
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
    fill(servers, source)
    job.run("backup").check()
    untrue = {"name": "many", "target": "db", "sql": "select count(*) > 9999 from orders"}
    ended = job.run("drill", **in_a_drill(servers, assertions=[untrue])).failed("AssertionFailed")
    assert ended.answer["untrue"] == ["db: many: select count(*) > 9999 from orders"]
    writing = {"name": "writes", "target": "db", "sql": "delete from orders returning true"}
    ended = job.run("drill", **in_a_drill(servers, assertions=[writing])).failed("TargetRefused")
    assert "read-only transaction" in ended.answer["message"]
