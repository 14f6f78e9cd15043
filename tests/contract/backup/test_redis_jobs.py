"""Redis: backed up over the wire, restored to a drill's server and to one that runs."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contract.backup.backup_job import OWNER, BackupJob, change_manifest, wait_for
from contract.backup.servers import Servers
from contract.images.database import PASSWORD as DATABASE_PASSWORD
from contract.images.database import Volume
from contract.images.image_process import find_free_port, run_image
from trading_backup.redis_client import Reply, Word, connect_tcp
from trading_backup.stopping import Stop

PASSWORD = 'r\'s "secret" $HOME'


@dataclass(frozen=True)
class RedisVolume:
    """A Redis server on a folder of its own."""

    folder: Path
    port: int = field(default_factory=find_free_port)

    def __post_init__(self) -> None:
        """Make the folder as the kubelet does."""
        self.folder.mkdir(parents=True)
        os.chown(self.folder, 999, 1000)
        self.folder.chmod(0o2775)

    @contextmanager
    def running(self, *settings: str) -> Iterator[None]:
        """Run the server."""
        arguments = ["--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", PASSWORD]
        mounts = {"/data": self.folder}
        log = self.folder.with_suffix(".log")
        with run_image("redis", log, mounts, {}, [*arguments, *settings]) as process:
            process.wait_until(self._answers)
            yield

    def ask(self, *words: Word, database: int = 0) -> Reply:
        """Ask one question."""
        with connect_tcp("127.0.0.1", self.port, PASSWORD, Stop()) as client:
            client.ask("SELECT", database)
            return client.ask(*words)

    def _answers(self) -> bool:
        try:
            return self.ask("PING") == b"PONG"
        except Exception:
            return False

    def target(self, **fields: Any) -> dict[str, Any]:
        """A target of a job file."""
        return {
            "name": "redis",
            "engine": "Redis",
            "host": "127.0.0.1",
            "port": self.port,
            "passwordFile": "/run/secrets/redis/password",
            **fields,
        }


FUNCTION = "#!lua name=desk\nredis.register_function('double', function(k, a) return a[1] * 2 end)"


def _fill(server: RedisVolume) -> None:
    for number in range(3000):
        server_key = f"position:{number}"
        if number % 1000 == 0:
            server.ask("HSET", server_key, "size", number, "side", "long")
        elif number % 100 == 0:
            server.ask("SET", server_key, number)
    server.ask("SET", b"binary\x00\r\nkey", b"\xff\x00value")
    server.ask("RPUSH", "queue", "a", "b", "c")
    server.ask("ZADD", "book", "1.5", "bid", "2.5", "ask")
    server.ask("XADD", "ticks", "1-1", "price", "7")
    server.ask("SET", "cached", "soon gone", "EX", 3600)
    server.ask("SET", "elsewhere", "7", database=3)
    server.ask("FUNCTION", "LOAD", FUNCTION)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[RedisVolume]:
    server = RedisVolume(tmp_path / "source")
    with server.running("--appendonly", "yes", "--save", ""):
        _fill(server)
        yield server


@pytest.fixture
def job(source: RedisVolume, tmp_path: Path) -> BackupJob:
    made = BackupJob(tmp_path / "job", [source.target()])
    made.write_secret("redis", PASSWORD)
    return made


def _check_restored(server: RedisVolume) -> None:
    assert server.ask("GET", b"binary\x00\r\nkey") == b"\xff\x00value"
    assert server.ask("LRANGE", "queue", 0, -1) == [b"a", b"b", b"c"]
    assert server.ask("ZSCORE", "book", "bid") == b"1.5"
    assert server.ask("XLEN", "ticks") == 1
    assert server.ask("HGET", "position:2000", "size") == b"2000"
    assert server.ask("GET", "elsewhere", database=3) == b"7"
    assert server.ask("FCALL", "double", 0, 21) == 42
    left = server.ask("TTL", "cached")
    assert isinstance(left, int)
    assert 3000 < left <= 3600


def test_every_kind_of_key_is_restored_to_a_server_that_runs(
    source: RedisVolume, job: BackupJob, tmp_path: Path
) -> None:
    made = job.run("backup").check().answer
    assert made["newestVerified"] == made["set"]
    target = RedisVolume(tmp_path / "target")
    with target.running("--appendonly", "yes"):
        proven = job.run("restore", targets=[target.target()]).check().answer
        assert (proven["compared"], proven["different"]) == (1, 0)
        _check_restored(target)
    # Written to its log too: it outlives the server.
    with target.running("--appendonly", "yes"):
        _check_restored(target)


def test_keys_are_only_replaced_when_asked_for(
    source: RedisVolume, job: BackupJob, tmp_path: Path
) -> None:
    job.run("backup").check()
    target = RedisVolume(tmp_path / "target")
    with target.running():
        target.ask("SET", "precious", 1)
        fields = {"targets": [target.target()]}
        job.run("restore", **fields).failed("TargetNotEmpty", 42)
        assert target.ask("GET", "precious") == b"1"
        job.run("restore", **fields, restore={"mode": "InPlace"}).check()
        assert target.ask("GET", "precious") is None
        _check_restored(target)


def test_a_server_that_does_not_take_the_data_keeps_its_own(
    source: RedisVolume, job: BackupJob, tmp_path: Path
) -> None:
    job.run("backup").check()
    target = RedisVolume(tmp_path / "target")
    # As one that does not know the format of our functions, or none at all.
    with target.running("--rename-command", "FUNCTION", ""):
        target.ask("SET", "precious", 1)
        fields = {"targets": [target.target()], "restore": {"mode": "InPlace"}}
        ended = job.run("restore", **fields).failed("RestoreFailed")
        assert "functions were not taken" in ended.answer["message"]
        assert target.ask("GET", "precious") == b"1"


def test_an_older_server_is_refused_and_keeps_its_keys(
    source: RedisVolume, job: BackupJob, tmp_path: Path
) -> None:
    job.run("backup").check()
    change_manifest(job, r'"server": "[0-9.]+"', '"server": "99.0.0"')
    target = RedisVolume(tmp_path / "target")
    with target.running():
        target.ask("SET", "precious", 1)
        fields = {"targets": [target.target()], "restore": {"mode": "InPlace"}}
        ended = job.run("restore", **fields).failed("TargetUnsuitable", 42)
        assert "is older than 99.0.0" in ended.answer["message"]
        assert target.ask("GET", "precious") == b"1"


def test_a_drill_gives_the_copy_to_a_server_that_waits_for_it(
    source: RedisVolume, job: BackupJob, tmp_path: Path
) -> None:
    job.run("backup").check()
    drill = RedisVolume(tmp_path / "drill")
    os.chown(drill.folder, 999, OWNER)
    drill.folder.chmod(0o2777)
    job.mounts["/drill/redis"] = drill.folder
    done = threading.Event()

    def serve() -> None:
        wait_for((drill.folder / ".start").exists)
        subprocess.run(["chown", "999:1000", str(drill.folder / "dump.rdb")], check=True)
        with drill.running("--appendonly", "no", "--save", ""):
            done.wait(60)
            _check_restored(drill)

    thread = threading.Thread(target=serve)
    thread.start()
    paths = {"path": "/drill/redis/dump.rdb", "startFile": "/drill/redis/.start"}
    ended = job.run("drill", targets=[drill.target(**paths)])
    done.set()
    thread.join()
    proven = ended.check().answer
    assert (proven["compared"], proven["different"]) == (1, 0)
    assert '"restoredAt"' in job.run("list").check().log


def test_databases_are_held_before_the_first_redis_sends_its_copy(
    source: RedisVolume, job: BackupJob, tmp_path: Path
) -> None:
    (tmp_path / "server").mkdir()
    server = Volume("postgresql", tmp_path / "server")
    job.write_secret("db", DATABASE_PASSWORD)
    with server.run_ready():
        job.run(
            "backup", targets=[source.target(), Servers(server, server).target_of(server)]
        ).check()
    [snapshot] = json.loads(job.run_program("restic", "snapshots", "--json", "--tag=manifest"))
    manifest = json.loads(job.run_program("restic", "dump", snapshot["id"], "/manifest.json"))
    redis, database = (target["asOf"] for target in manifest["targets"])
    assert datetime.fromisoformat(database) < datetime.fromisoformat(redis)


def test_a_wrong_password_is_told_and_not_tried_again(job: BackupJob) -> None:
    job.write_secret("redis", "another one")
    ended = job.run("backup").failed("AuthenticationFailed", 42)
    assert "redis: no login: WRONGPASS" in ended.answer["message"]


def test_a_server_that_is_not_there_is_told_and_tried_again(job: BackupJob) -> None:
    job.targets[0]["port"] = find_free_port()
    ended = job.run("backup").failed("TargetUnreachable", 1)
    assert "redis: no connection" in ended.answer["message"]
    assert job.run("list").check().answer["sets"] == 0
