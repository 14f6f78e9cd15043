"""The job file: what is accepted, and how a mistake is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from trading_backup.errors import BackupError
from trading_backup.job import Job, PostgreSQLTarget, VolumeTarget, read_job
from unit.backup.samples import database_of, job_of


def _refusal(content: dict[str, Any], tmp_path: Path) -> BackupError:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(content))
    with pytest.raises(BackupError) as caught:
        read_job({"TRADING_BACKUP_JOB": str(file)})
    return caught.value


def test_each_target_is_read_by_its_engine() -> None:
    job = Job.model_validate(
        job_of(
            targets=[
                database_of("timescaledb", method="Physical"),
                {"name": "redis", "engine": "Redis", "host": "momentum-redis"},
                {"name": "models", "engine": "Volume", "path": "/targets/models"},
            ]
        )
    )
    database, redis, volume = job.targets
    assert isinstance(database, PostgreSQLTarget)
    assert (database.method, database.port) == ("Physical", 5432)
    assert redis.engine == "Redis"
    assert isinstance(volume, VolumeTarget)
    assert volume.path == Path("/targets/models")


def test_without_retention_nothing_may_be_deleted() -> None:
    rules = Job.model_validate(job_of()).retention
    assert set(rules.model_dump().values()) == {0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": [database_of("db", port=0)]}, "targets[0].port: "),
        ({"targets": [database_of("db", engine="Oracle")]}, "targets[0]: "),
        ({"targets": []}, "targets: "),
        ({"targets": [database_of("db"), database_of("db")]}, "two targets are called db"),
        ({"repository": {}}, "repository: set one of path and s3"),
        ({"verify": {"readData": "all"}}, "verify.readData: use a share"),
        ({"verify": {"readData": "101%"}}, "verify.readData: use a share"),
        ({"verify": {"readData": "4/3"}}, "verify.readData: use a share"),
        ({"mode": "Differential"}, "mode: "),
        ({"restore": {"set": "yesterday"}}, "restore.set: "),
        ({"restore": {"targets": ["redis"]}}, "no target is called redis: choose from timescaledb"),
        ({"assertions": [{"target": "x", "sql": "select true"}]}, "no target is called x"),
        ({"retention": {"hourly": 3}}, "retention.hourly: "),
        ({"hooks": {"before": [{"name": "a", "url": "file:///x"}]}}, "hooks.before[0].url: "),
    ],
)
def test_a_mistake_is_told_with_its_field_and_never_retried(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    error = _refusal(job_of(**change), tmp_path)
    assert words in str(error)
    assert error.reason == "InvalidJob"
    assert error.exit_code == 42


@pytest.mark.parametrize("share", ["0%", "5%", "12.5%", "100%", "3/10", "500M", "1024"])
def test_every_way_of_restic_to_read_a_part_is_accepted(share: str) -> None:
    assert Job.model_validate(job_of(verify={"readData": share})).verify.read_data == share


def test_a_missing_file_and_a_missing_variable_are_told(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="TRADING_BACKUP_JOB is not set"):
        read_job({})
    with pytest.raises(BackupError, match=r"gone.json cannot be read \(No such file"):
        read_job({"TRADING_BACKUP_JOB": str(tmp_path / "gone.json")})


def test_of_many_mistakes_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    error = _refusal(job_of(**{f"field{n}": n for n in range(8)}), tmp_path)
    assert "field0: " in str(error)
    assert "and 3 more" in str(error)
