"""Volumes: every file of a folder, and what a repository does when things break."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.backup.backup_job import OWNER, REPOSITORY_PASSWORD, BackupJob, wait_for


def _make_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    os.chown(path, OWNER, OWNER)
    return path


def _fill(folder: Path) -> None:
    (folder / "models").mkdir()
    (folder / "models" / "lightgbm.txt").write_text("tree\n" * 1000)
    (folder / "models" / "ünïcode name").write_bytes(os.urandom(100_000))
    (folder / "models" / "latest").symlink_to("lightgbm.txt")
    (folder / "empty").mkdir()
    (folder / "nothing").touch()
    (folder / "lost+found").mkdir(mode=0o700)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = _make_folder(tmp_path / "volume")
    _fill(folder)
    return folder


@pytest.fixture
def job(volume: Path, tmp_path: Path) -> BackupJob:
    target = {"name": "models", "engine": "Volume", "path": "/targets/models"}
    return BackupJob(tmp_path / "job", [target], mounts={"/targets/models": volume})


def _restore_to(job: BackupJob, folder: Path) -> list[dict[str, str]]:
    job.mounts["/drill/models"] = folder
    return [{"name": "models", "engine": "Volume", "path": "/drill/models"}]


@pytest.mark.acceptance("A66")
def test_all_files_come_back_to_an_empty_volume(
    volume: Path, job: BackupJob, tmp_path: Path
) -> None:
    job.run("backup").check()
    folder = _make_folder(tmp_path / "restored")
    (folder / "lost+found").mkdir(mode=0o700)
    proven = job.run("drill", targets=_restore_to(job, folder)).check().answer
    assert (proven["compared"], proven["different"]) == (2, 0)
    left = subprocess.run(["diff", "-r", volume, folder], capture_output=True, text=True)
    assert left.stdout == ""
    assert (folder / "models" / "latest").readlink() == Path("lightgbm.txt")
    assert (folder / "empty").is_dir()


def test_a_second_backup_adds_only_what_changed(volume: Path, job: BackupJob) -> None:
    first = job.run("backup").check().answer
    (volume / "models" / "new").write_bytes(os.urandom(5000))
    second = job.run("backup").check().answer
    assert second["set"] > first["set"]
    assert second["sets"] == 2
    assert second["addedBytes"] < first["addedBytes"] / 5


def test_a_file_that_cannot_be_read_fails_the_run(volume: Path, job: BackupJob) -> None:
    (volume / "models" / "secret").write_text("x")
    (volume / "models" / "secret").chmod(0o000)
    ended = job.run("backup").failed("UnreadableFiles", 42)
    assert "permission denied" in ended.answer["message"]
    assert job.run("list").check().answer["sets"] == 0


def test_a_folder_with_files_is_refused_and_in_place_becomes_the_set(
    volume: Path, job: BackupJob, tmp_path: Path
) -> None:
    job.run("backup").check()
    folder = _make_folder(tmp_path / "restored")
    for name in ("extra", "nothing"):
        (folder / name).write_text("former")
        os.chown(folder / name, OWNER, OWNER)
    targets = _restore_to(job, folder)
    ended = job.run("restore", targets=targets).failed("TargetNotEmpty", 42)
    assert "holds 2 entries" in ended.answer["message"]
    job.run("restore", targets=targets, restore={"mode": "InPlace"}).check()
    assert not (folder / "extra").exists()
    assert (folder / "nothing").read_text() == ""


@pytest.mark.acceptance("A65", "C27")
def test_only_the_sets_that_the_rules_want_stay(volume: Path, job: BackupJob) -> None:
    kept = [job.run("backup", retention={"keepLast": 2}).check().answer for _ in range(3)]
    assert [answer["sets"] for answer in kept] == [1, 2, 2]
    wanted = [answer["set"] for answer in kept[1:]]
    assert kept[-1]["kept"] == wanted[::-1]
    snapshots = json.loads(job.run_program("restic", "snapshots", "--json"))
    found = {tag for item in snapshots for tag in item["tags"] if tag.startswith("set=")}
    assert found == {f"set={set_id}" for set_id in wanted}


def test_a_repository_of_another_system_gives_and_loses_nothing(job: BackupJob) -> None:
    first = job.run("backup").check().answer["set"]
    for command in ("drill", "verify"):
        ended = job.run(command, system="reversal").failed("SetNotFound", 42)
        assert "latest" in ended.answer["message"]
    ended = job.run("restore", system="reversal", restore={"set": first}).failed("SetNotFound", 42)
    assert first in ended.answer["message"]
    other = job.run("backup", system="reversal", retention={"keepLast": 1}).check().answer
    assert (other["sets"], other["set"] > first) == (1, True)
    assert job.run("list", system="reversal").check().answer["sets"] == 1
    assert job.run("verify").check().answer["set"] == first


def test_runs_that_begin_at_once_make_two_sets(volume: Path, job: BackupJob) -> None:
    job.run("backup").check()
    (volume / "large").write_bytes(os.urandom(60_000_000))
    with job.started("backup") as first:
        wait_for(lambda: '"OpeningRepository"' in first.output)
        second = job.run("backup")
        first.process.wait(120)
    assert second.check().answer["sets"] == 3


def test_without_rules_nothing_is_deleted(job: BackupJob) -> None:
    assert [job.run("backup").check().answer["sets"] for _ in range(3)] == [1, 2, 3]


def test_a_wrong_repository_password_opens_and_harms_nothing(job: BackupJob) -> None:
    job.run("backup").check()
    job.write_secret("repository", "guessed")
    for command in ("backup", "verify", "list"):
        job.run(command).failed("WrongPassword", 42)
    job.write_secret("repository", REPOSITORY_PASSWORD)
    assert job.run("backup").check().answer["sets"] == 2


def test_a_repository_that_is_not_there_is_told_and_only_a_backup_makes_one(
    job: BackupJob,
) -> None:
    for command in ("verify", "drill", "restore", "list"):
        ended = job.run(command).failed("RepositoryMissing", 42)
        assert "/repository" in ended.answer["message"]
    warnings = job.run("backup").check().answer["warnings"]
    assert warnings == ["the repository is new: there was none"]


def test_an_unknown_set_is_told_with_those_that_there_are(job: BackupJob) -> None:
    made = job.run("backup").check().answer["set"]
    ended = job.run("verify", restore={"set": "20200101T000000Z"}).failed("SetNotFound", 42)
    assert made in ended.answer["message"]


def _flip_a_byte(pack: Path) -> None:
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 0xFF
    pack.chmod(0o600)
    pack.write_bytes(content)


def test_a_changed_byte_is_found_and_such_a_run_deletes_nothing(
    volume: Path, job: BackupJob
) -> None:
    sets = [job.run("backup").check().answer["set"] for _ in range(2)]
    packs = sorted((job.repository / "data").rglob("*"), key=lambda path: path.stat().st_size)
    _flip_a_byte(packs[-1])
    verified = job.run("verify", verify={"readData": "100%"})
    assert verified.code == 1
    assert verified.answer["reason"] in ("RepositoryDamaged", "RepositoryFailed", "ReadBackFailed")
    ended = job.run("backup", retention={"keepLast": 1}, verify={"readData": "100%"})
    assert ended.code == 1
    assert ended.answer["reason"] in ("RepositoryDamaged", "RepositoryFailed")
    listed = job.run("list").check()
    assert all(f'"set": "{set_id}"' in listed.log for set_id in sets)
    assert listed.answer["newestVerified"] == sets[-1]


def test_a_damaged_manifest_keeps_no_full_backup_from_being_made(job: BackupJob) -> None:
    made = job.run("backup").check().answer["set"]
    _flip_a_byte(_find_pack_of_the_manifest(job))
    assert job.run("backup", mode="Incremental").code == 1
    again = job.run("backup").check().answer
    assert any(f"set {made} is not compared with" in text for text in again["warnings"])
    assert again["newestVerified"] == again["set"]


def _find_pack_of_the_manifest(job: BackupJob) -> Path:
    [snapshot] = json.loads(job.run_program("restic", "snapshots", "--json", "--tag=manifest"))
    tree = json.loads(job.run_program("restic", "cat", "tree", f"{snapshot['id']}:/"))
    [blob] = tree["nodes"][0]["content"]
    found = job.run_program("restic", "find", "--blob", blob, "--show-pack-id")
    match = re.search("pack ([0-9a-f]{64})", found)
    assert match, found
    pack = match[1]
    return job.repository / "data" / pack[:2] / pack


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    options = f"size={megabytes}m,uid={OWNER},gid={OWNER},mode=0770"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_repository_ends_the_run_in_time_and_keeps_what_it_has(
    volume: Path, job: BackupJob
) -> None:
    with _small_disk(job.repository, 48):
        made = job.run("backup").check().answer["set"]
        (volume / "large").write_bytes(os.urandom(60_000_000))
        os.chown(volume / "large", OWNER, OWNER)
        ended = job.run("backup").failed("RepositoryFull", 1)
        assert "volume larger" in ended.answer["message"]
        (volume / "large").unlink()
        # What the failed run had written is given back first.
        again = job.run("backup").check().answer
        assert (again["sets"], again["set"] > made) == (2, True)
        assert sum(path.stat().st_size for path in job.repository.rglob("*")) < 5_000_000


def test_no_secret_is_said_and_no_argument_has_one(volume: Path, job: BackupJob) -> None:
    (volume / "large").write_bytes(os.urandom(30_000_000))
    seen: set[bytes] = set()
    with job.started("backup") as process:
        while process.process.poll() is None:
            seen |= {line for place in Path("/proc").glob("[0-9]*") if (line := _arguments(place))}
        ended = job.ended(process.process.returncode, process).check()
    assert any(b"restic" in line for line in seen)
    assert not any(REPOSITORY_PASSWORD.encode() in line for line in seen)
    assert REPOSITORY_PASSWORD not in ended.log


def _arguments(place: Path) -> bytes:
    try:
        return (place / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_wrong_job_file_is_told_with_its_field(job: BackupJob) -> None:
    ended = job.run("backup", retention={"keepLast": -1}).failed("InvalidJob", 42)
    assert "retention.keepLast" in ended.answer["message"]
