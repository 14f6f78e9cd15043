"""PostgreSQL by its files: whole, then increments, put together again and started."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contract.backup.backup_job import OWNER, BackupJob, wait_for
from contract.images.database import PASSWORD, SECRET, Volume
from contract.images.image_process import find_free_port, run_image


class SummarizingVolume(Volume):
    """A server that notes what changes."""

    @contextmanager
    def run_summarizing(self) -> Iterator[None]:
        """Run it with WAL summaries."""
        with self.run_ready():
            self.read("ALTER SYSTEM SET summarize_wal = on")
            self.read("SELECT pg_reload_conf()")
            yield


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SummarizingVolume]:
    (tmp_path / "server").mkdir()
    made = SummarizingVolume("postgresql", tmp_path / "server")
    with made.run_summarizing():
        made.read("CREATE TABLE ticks AS SELECT n, md5(n::text) FROM generate_series(1, 200000) n")
        made.read("CHECKPOINT")
        yield made


@pytest.fixture
def job(server: SummarizingVolume, tmp_path: Path) -> BackupJob:
    made = BackupJob(tmp_path / "job", [_target(server.port)])
    made.write_secret("db", PASSWORD)
    return made


def _target(port: int, **fields: Any) -> dict[str, Any]:
    return {
        "name": "db",
        "engine": "PostgreSQL",
        "method": "Physical",
        "host": "127.0.0.1",
        "port": port,
        "user": "trader",
        "database": "trading",
        "passwordFile": "/run/secrets/db/password",
        **fields,
    }


@contextmanager
def _drill_server(folder: Path, port: int, log: Path) -> Iterator[None]:
    """Start a server on restored files as soon as it may, as a sidecar of the drill would."""
    finished = threading.Event()

    def serve() -> None:
        wait_for((folder / ".start").exists, 200)
        subprocess.run(["chown", "-R", "70:70", str(folder)], check=True)
        mounts = {"/drill/db": folder}
        settings = {"PGDATA": "/drill/db/pgdata", "POSTGRES_PASSWORD_FILE": SECRET}
        arguments = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"]
        with run_image("postgresql", log, mounts, settings, arguments):
            finished.wait(120)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        (folder / ".start").touch()
        thread.join()


def _drill(job: BackupJob, tmp_path: Path, name: str, **fields: Any) -> dict[str, Any]:
    folder, port = tmp_path / name, find_free_port()
    folder.mkdir()
    os.chown(folder, OWNER, OWNER)
    job.mounts["/drill/db"] = folder
    target = _target(port, path="/drill/db/pgdata", startFile="/drill/db/.start")
    with _drill_server(folder, port, tmp_path / f"{name}.log"):
        ended = job.run("drill", targets=[target], **fields)
    return dict(ended.check().answer)


def test_increments_are_put_together_and_a_server_starts_from_them(
    server: SummarizingVolume, job: BackupJob, tmp_path: Path
) -> None:
    full = job.run("backup").check().answer
    assert full["mode"] == "Full"
    server.read("UPDATE ticks SET md5 = 'changed' WHERE n % 1000 = 0")
    server.read("CREATE TABLE fills AS SELECT 7 AS n")
    first = job.run("backup", mode="Incremental").check().answer
    server.read("DELETE FROM ticks WHERE n > 150000")
    second = job.run("backup", mode="Incremental").check().answer
    assert (first["mode"], second["mode"]) == ("Incremental", "Incremental")
    assert first["bytes"] < full["bytes"] / 2
    assert job.locks == []

    proven = _drill(job, tmp_path, "newest")
    assert (proven["set"], proven["different"]) == (second["set"], 0)
    assert proven["compared"] >= 4
    older = _drill(job, tmp_path, "older", restore={"set": full["set"]})
    assert (older["set"], older["different"]) == (full["set"], 0)


def test_unlogged_tables_are_told_and_not_compared(
    server: SummarizingVolume, job: BackupJob, tmp_path: Path
) -> None:
    server.read("CREATE UNLOGGED TABLE cache AS SELECT 1 AS n")
    server.read("CREATE TABLE parts (n int) PARTITION BY RANGE (n)")
    server.read("CREATE UNLOGGED TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9)")
    server.read("INSERT INTO parts VALUES (1)")
    warnings = job.run("backup").check().answer["warnings"]
    told = "unlogged tables are empty in a copy of the server's files"
    assert f"db: {told}: public.cache, public.parts" in warnings
    assert _drill(job, tmp_path, "newest")["different"] == 0


def test_an_increment_keeps_all_that_it_stands_on(
    server: SummarizingVolume, job: BackupJob
) -> None:
    rules = {"retention": {"keepLast": 1}}
    job.run("backup", **rules).check()
    assert job.run("backup", mode="Incremental", **rules).check().answer["sets"] == 2
    assert job.run("backup", mode="Incremental", **rules).check().answer["sets"] == 3
    assert job.run("backup", **rules).check().answer["sets"] == 1


def test_a_set_whose_link_is_gone_is_told_and_nothing_more_stands_on_it(
    server: SummarizingVolume, job: BackupJob, tmp_path: Path
) -> None:
    full = job.run("backup").check().answer["set"]
    made = job.run("backup", mode="Incremental").check().answer["set"]
    listed = job.run_program("restic", "snapshots", "--json", f"--tag=set={full},manifest")
    job.run_program("restic", "forget", json.loads(listed)[0]["id"])
    job.mounts["/drill/db"] = tmp_path / "restored"
    job.mounts["/drill/db"].mkdir()
    target = _target(server.port, path="/drill/db/pgdata")
    ended = job.run("restore", targets=[target], restore={"set": made}).failed("SetNotFound", 42)
    assert full in ended.answer["message"]
    job.run("verify").failed("SetNotFound", 42)
    assert "newestVerified" not in job.run("list").check().answer
    again = job.run("backup", mode="Incremental").check().answer
    assert (again["mode"], again["set"] > made) == ("Full", True)
    assert any("cannot be restored" in text and full in text for text in again["warnings"])
    assert job.run("backup", mode="Incremental").check().answer["mode"] == "Incremental"


def test_without_anything_to_stand_on_an_increment_becomes_a_full_copy_and_says_so(
    server: SummarizingVolume, job: BackupJob
) -> None:
    first = job.run("backup", mode="Incremental").check().answer
    assert first["mode"] == "Full"
    assert any("there is no earlier copy" in text for text in first["warnings"])
    server.read("ALTER SYSTEM SET summarize_wal = off")
    server.read("SELECT pg_reload_conf()")
    second = job.run("backup", mode="Incremental").check().answer
    assert second["mode"] == "Full"
    assert any("summarize_wal" in text for text in second["warnings"])


def test_a_folder_with_files_is_refused(
    server: SummarizingVolume, job: BackupJob, tmp_path: Path
) -> None:
    job.run("backup").check()
    folder = tmp_path / "full"
    (folder / "pgdata").mkdir(parents=True)
    (folder / "pgdata" / "PG_VERSION").write_text("17")
    job.mounts["/drill/db"] = folder
    target = _target(server.port, path="/drill/db/pgdata")
    job.run("restore", targets=[target]).failed("TargetNotEmpty", 42)
