"""Damaged repositories: whatever became of whichever file, a backup that is damaged is said to be.

The cases are drawn from the day's seed, which is printed: DAMAGE_SEED repeats another day's,
DAMAGE_COUNT asks for more of them.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.backup.backup_job import OWNER, BackupJob

COUNT = int(os.environ.get("DAMAGE_COUNT") or 10)
SEED = int(os.environ.get("DAMAGE_SEED") or datetime.now(UTC).date().toordinal())
SECONDS_FOR_A_CASE = 45
# A file that was cut off may look like many a thing; never like a sound one.
TOLD = (
    *("RepositoryDamaged", "RepositoryFailed", "ReadBackFailed", "SetNotFound"),
    *("WrongPassword", "RepositoryMissing"),
)
KINDS_OF_FILES = ("data", "index", "keys", "snapshots", "config")

Damage = Callable[[Path, random.Random], None]


def _flip_bits(file: Path, chance: random.Random) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(chance.choice([1, 2, 64])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def _cut_off(file: Path, chance: random.Random) -> None:
    os.truncate(file, chance.randrange(file.stat().st_size))


def _fill_with_zeros(file: Path, chance: random.Random) -> None:
    size = file.stat().st_size
    begin = chance.randrange(size)
    with file.open("r+b") as opened:
        opened.seek(begin)
        opened.write(bytes(min(size - begin, 4096)))


def _take_away(file: Path, _: random.Random) -> None:
    file.unlink()


DAMAGES: dict[str, Damage] = {
    "bits flipped": _flip_bits,
    "cut off": _cut_off,
    "overwritten with zeros": _fill_with_zeros,
    "gone": _take_away,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> BackupJob:
    """A Backup with two sets in its repository."""
    volume = tmp_path_factory.mktemp("volume")
    chance = random.Random(SEED)
    for number in range(8):
        (volume / f"model-{number}").write_bytes(chance.randbytes(400_000))
    target = {"name": "models", "engine": "Volume", "path": "/targets/models"}
    job = BackupJob(
        tmp_path_factory.mktemp("sound") / "job", [target], mounts={"/targets/models": volume}
    )
    os.chmod(volume, 0o755)
    job.run("backup").check()
    (volume / "model-0").write_bytes(chance.randbytes(400_000))
    job.run("backup").check()
    return job


def _draw(job: BackupJob, chance: random.Random) -> tuple[Path, str]:
    """Return a file of a repository, and what becomes of it."""
    kind = chance.choice(KINDS_OF_FILES)
    files = sorted(path for path in (job.repository / kind).rglob("*") if path.is_file())
    file = chance.choice(files or [job.repository / kind])
    # A set whose list of snapshots is gone with all that names it is a set that never was.
    known = [name for name in DAMAGES if (kind, name) != ("snapshots", "gone")]
    return file, chance.choice(known)


@pytest.mark.timeout(120 + SECONDS_FOR_A_CASE * COUNT)
def test_every_damaged_repository_is_told_to_be(
    sound: BackupJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nDAMAGE_SEED={SEED} DAMAGE_COUNT={COUNT}")  # noqa: T201
    whole = tmp_path / "whole"
    shutil.copytree(sound.repository, whole)
    passed = []
    for number in range(COUNT):
        chance = random.Random(f"{SEED} {number}")
        _replace(sound, whole)
        file, damage = _draw(sound, chance)
        DAMAGES[damage](file, chance)
        case = f"case {number}: {file.relative_to(sound.repository)}: {damage}"
        ended = sound.run("verify", verify={"readData": "100%"})
        if ended.code == 0 or ended.answer["reason"] not in TOLD:
            passed.append(f"{case}: {ended.answer['reason']}")
        passed += _find_deleted(sound, case)
    assert passed == []
    # What is not damaged is said to be sound: the answers above are no accident.
    _replace(sound, whole)
    sound.run("verify", verify={"readData": "100%"}).check()


def _find_deleted(job: BackupJob, case: str) -> list[str]:
    """Back up to the damaged repository, with rules; tell what of the older sets that deletes."""
    before = _snapshots(job)
    ended = job.run("backup", retention={"keepLast": 1}, verify={"readData": "100%"})
    gone = sorted(before - _snapshots(job))
    return [f"{case}: a backup ({ended.answer['reason']}) deleted {gone}"] if gone else []


def _snapshots(job: BackupJob) -> set[str]:
    return {path.name for path in (job.repository / "snapshots").iterdir()}


def test_a_manifest_that_cannot_be_read_costs_no_set(sound: BackupJob, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(sound.repository, whole)
    listed = json.loads(sound.run_program("restic", "snapshots", "--json", "--tag=manifest"))
    for manifest in listed:
        _replace(sound, whole)
        before = _snapshots(sound)
        _flip_bits(sound.repository / "snapshots" / manifest["id"], random.Random(SEED))
        for command in ("backup", "list", "verify", "drill"):
            sound.run(command, retention={"keepLast": 1}).failed("RepositoryDamaged")
        assert _snapshots(sound) == before
    _replace(sound, whole)


def _replace(job: BackupJob, whole: Path) -> None:
    """Make the repository what it was; restic's own files are read-only.

    A pod begins without a cache, which would know what the repository has lost.
    """
    repository = job.repository
    shutil.rmtree(job.folder / "scratch" / "restic-cache", ignore_errors=True)
    shutil.rmtree(repository)
    shutil.copytree(whole, repository)
    for path in (repository, *repository.rglob("*")):
        os.chown(path, OWNER, OWNER)
        path.chmod(path.stat().st_mode | 0o200)
