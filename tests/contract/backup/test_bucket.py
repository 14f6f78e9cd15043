"""A repository in a bucket."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.backup.backup_job import OWNER, BackupJob
from contract.backup.bucket import (
    ACCESS_KEY,
    BUCKET,
    REGION,
    SECRET_KEY,
    Bucket,
    served_bucket,
)


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    with served_bucket(tmp_path) as served:
        yield served


@pytest.fixture
def job(bucket: Bucket, tmp_path: Path) -> BackupJob:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "model.txt").write_text("tree\n" * 10_000)
    target = {"name": "models", "engine": "Volume", "path": "/targets/models"}
    made = BackupJob(tmp_path / "job", [target], mounts={"/targets/models": volume})
    made.fields["repository"] = {
        "s3": {
            "endpoint": bucket.endpoint,
            "bucket": BUCKET,
            "prefix": "default/nightly",
            "region": REGION,
            "accessKeyFile": made.write_secret("access", ACCESS_KEY),
            "secretKeyFile": made.write_secret("secret", SECRET_KEY),
        }
    }
    return made


def test_sets_are_kept_in_a_bucket_below_their_prefix_and_come_back(
    bucket: Bucket, job: BackupJob, tmp_path: Path
) -> None:
    job.run("backup").check()
    assert job.run("backup", retention={"keepLast": 1}).check().answer["sets"] == 1
    assert bucket.objects
    assert all(key.startswith("default/nightly/") for key in bucket.objects)
    assert not any("/locks/" in key for key in bucket.objects)
    assert not any(b"tree" in content for content in bucket.objects.values())
    folder = tmp_path / "restored"
    folder.mkdir()
    os.chown(folder, OWNER, OWNER)
    job.mounts["/drill/models"] = folder
    target = {"name": "models", "engine": "Volume", "path": "/drill/models"}
    ended = job.run("drill", targets=[target]).check()
    assert ended.answer["different"] == 0
    assert (folder / "model.txt").read_text() == "tree\n" * 10_000
    assert SECRET_KEY not in ended.log


def test_a_key_that_the_store_does_not_know_is_told_and_not_tried_again(job: BackupJob) -> None:
    job.write_secret("access", "AKIASTRANGER")
    job.run("backup").failed("RepositoryRefused", 42)
