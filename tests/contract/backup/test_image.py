"""What is in the image of backup Jobs."""

from contract.images.image_process import run_once

PROGRAMS = (
    "dd",
    "pg_basebackup",
    "pg_combinebackup",
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "pg_verifybackup",
    "psql",
    "redis-check-rdb",
    "redis-cli",
    "redis-server",
    "restic",
)


def test_it_has_the_programs_in_the_versions_that_they_need() -> None:
    found = run_once("trading-backup", "sh", "-c", f"which {' '.join(PROGRAMS)}").split()
    assert len(found) == len(PROGRAMS)
    # Not Debian's wrapper, which needs Perl and chooses a version by itself.
    assert all("/postgresql/17/" in path for path in found if path.split("/")[-1].startswith("pg_"))
    versions = run_once("trading-backup", "sh", "-c", "restic version; pg_dump -V; redis-cli -v")
    restic, pg_dump, redis = versions.splitlines()
    assert tuple(map(int, restic.split()[1].split(".")[:2])) >= (0, 18)
    assert pg_dump.startswith("pg_dump (PostgreSQL) 17")
    assert redis.startswith("redis-cli 8.")


def test_it_runs_as_nobody_in_particular_and_changes_nothing_of_itself() -> None:
    script = "id -u; id -g; touch /app/x /usr/x 2>/dev/null && echo WRITABLE; which gcc pip; true"
    assert run_once("trading-backup", "sh", "-c", script).split() == ["1000", "1000"]


def test_it_holds_this_program_and_nothing_of_the_operator() -> None:
    script = (
        "import importlib.util as u, trading_backup.__main__\n"
        "print(u.find_spec('trading_operator'), u.find_spec('kopf'))"
    )
    assert run_once("trading-backup", "python3", "-c", script).split() == ["None", "None"]
