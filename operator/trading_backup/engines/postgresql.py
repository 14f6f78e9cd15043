"""PostgreSQL by dumps: a database and the server's roles, with facts of the same snapshot."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from trading_backup.engines.parts import PartName, save_output, write_part
from trading_backup.engines.throwaway import start_server
from trading_backup.errors import BackupError
from trading_backup.job import PostgreSQLTarget
from trading_backup.manifest import Facts, Manifest, Part, TargetRecord
from trading_backup.postgresql.connection import MAINTENANCE, Connection, Server, query
from trading_backup.postgresql.databases import (
    Place,
    drop_beside,
    exchange,
    make_beside,
    refuse_missing,
    reopen,
)
from trading_backup.postgresql.facts import (
    count_own_relations,
    find_untrue,
    read_facts,
    read_versions,
)
from trading_backup.postgresql.roles import find_roles, keep_missing
from trading_backup.postgresql.snapshot import (
    Snapshot,
    exported,
    find_changed,
    keep_steady,
    read_dated_facts,
)
from trading_backup.postgresql.steadiness import (
    Changed,
    TablesChangedError,
    find_restless,
    list_tables,
    warn_of_tries,
)
from trading_backup.programs import Finished
from trading_backup.reasons import Reason
from trading_backup.restic import last_words
from trading_backup.tools import Tools

_DUMP, _ROLES = "dump", "roles"
# Moments that are tried until no table was emptied between one and the locks of its dump.
_TRIES = 4
# pg_restore 17 sets it on every server; older ones do not know it, and nothing depends on it.
_UNKNOWN_SETTING = 'unrecognized configuration parameter "transaction_timeout"'


class LogicalPostgreSQL:
    """One database of a server."""

    holds_by_copying = False

    def __init__(self, target: PostgreSQLTarget, tools: Tools) -> None:
        """Work on the target's database until a restore makes one beside it."""
        self._target = target
        self._tools = tools
        self._server = Server(target, tools)
        self._place = Place(target.database)
        self._database = target.database
        self._keeper: str | None = None
        self._snapshot: Snapshot  # from hold() on
        self._held = ExitStack()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold a snapshot of the database; it locks nothing."""
        with self._held:
            self._snapshot = self._hold_now()
            yield

    def dump(self, set_id: str, base: Manifest | None) -> TargetRecord:
        """Dump the database and read its facts, both as of the moment that is held.

        Facts come last: the sooner pg_dump locks the tables, the less can happen to them before.
        """
        began = time.monotonic()
        dump, warnings = self._save_steady_dump(set_id)
        snapshot = self._snapshot
        with self._server.connected(self._database) as reader:
            dated = read_dated_facts(reader, snapshot, self._tools.job.facts.row_hashes)
            versions, superuser = read_versions(reader), _is_superuser(reader)
        facts = keep_steady(dated, snapshot)
        return TargetRecord(
            name=self._target.name,
            engine=self._target.engine,
            method=self._target.method,
            parts=(dump, self._save_roles(set_id, superuser)),
            facts=facts,
            versions=versions,
            as_of=snapshot.as_of,
            seconds=round(time.monotonic() - began, 3),
            warnings=(*warnings, *_warn_of_changes(dated.facts, facts)),
        )

    def check_target(self, record: TargetRecord, in_place: bool) -> None:
        """Refuse an older server, one that lacks an extension, and a database with data."""
        start_server(self._tools, self._target.start_file, self._server.ask)
        self._warn(reopen(self._server, self._place))
        with self._server.connected(MAINTENANCE) as connection:
            self._check_versions(connection, record)
        if not in_place:
            self._check_empty()

    def restore(self, chain: Sequence[TargetRecord], in_place: bool) -> None:
        """Restore roles, then the database into a new one beside the former.

        So whoever fails or is killed before the end leaves the target as it was.
        """
        record = chain[-1]
        self._keeper = self._tools.job.restore.id if in_place else None
        self._database = self._place.beside
        self._warn(make_beside(self._server, self._place))
        self._restore_roles(record.part(_ROLES))
        with self._prepared(record):
            self._restore_dump(record.part(_DUMP))
        with self._server.connected(self._database) as connection:
            # A dump holds no statistics, and the first queries would be planned without any.
            query(connection, "ANALYZE")

    def read_facts(self, record: TargetRecord) -> Facts:
        """Read the same facts of the restored database."""
        row_hashes = any("hash" in measures for measures in record.facts.values())
        with self._server.connected(self._database) as connection:
            return read_facts(connection, row_hashes)

    def find_untrue(self, statements: Sequence[str]) -> list[str]:
        """Return the statements that are not true of the restored database."""
        with self._server.connected(self._database) as connection:
            return find_untrue(connection, statements)

    def publish(self) -> None:
        """Let a database that was restored beside the former one take its place."""
        self._warn(exchange(self._server, self._place, self._keeper))
        self._database = self._place.database

    def discard(self) -> None:
        """Drop the database that was restored: it is as large as the former one."""
        if self._database != self._place.database:
            drop_beside(self._server, self._place)

    def _warn(self, warnings: Sequence[str]) -> None:
        for warning in warnings:
            self._tools.warn(warning)

    @contextmanager
    def _prepared(self, _record: TargetRecord) -> Iterator[None]:
        """Do what has to be done around pg_restore."""
        yield

    def _hold_now(self) -> Snapshot:
        """Let the moment go that is held, and hold this one."""
        self._held.close()
        keeper = self._held.enter_context(self._server.connected(self._database))
        return self._held.enter_context(exported(keeper))

    def _save_steady_dump(self, set_id: str) -> tuple[Part, list[str]]:
        """Dump the database as of a moment since which no table was emptied or rewritten.

        pg_dump locks tables only once it runs, and would leave out the rows of such a table. A
        table that is emptied every time is let pass with a warning: otherwise it would let no
        backup be.
        """
        tries: list[Changed] = []
        while True:
            last = len(tries) == _TRIES - 1
            restless = find_restless(tries) if last else {}
            try:
                part = self._save_dump(set_id, restless)
            except TablesChangedError as error:
                if last:
                    raise self._never_steady(error.tables) from None
                tries.append(error.tables)
                self._snapshot = self._hold_now()
            else:
                return part, warn_of_tries(tries, restless)

    def _check_steady(self, restless: Changed) -> None:
        """Raise TablesChangedError when pg_dump has locked other tables than those held."""
        with self._server.connected(self._database) as reader:
            changed = find_changed(reader, self._snapshot)
        if changed.keys() - restless.keys():
            raise TablesChangedError(changed)

    def _never_steady(self, tables: Changed) -> BackupError:
        return BackupError(
            Reason.DUMP_FAILED,
            f"{self._target.name}: each time that the dump began, tables had just been emptied or "
            f"rewritten, the last time {list_tables(tables)}",
            "take the backup at a time at which nobody does that",
        )

    def _save_dump(self, set_id: str, restless: Changed) -> Part:
        options = (
            "--format=custom",
            # Not compressed here: restic finds what did not change, and compresses the rest.
            "--compress=none",
            f"--snapshot={self._snapshot.name}",
            "--lock-wait-timeout=5min",
            "--no-password",
        )
        source = self._server.command("pg_dump", self._database, *options)
        name = PartName(set_id, self._target.name, _DUMP)
        filename = f"{self._target.name}.pgdump"
        # What it prints first comes after its locks.
        begun = partial(self._check_steady, restless)
        return save_output(self._tools, name, "PostgreSQLArchive", filename, source, begun)

    def _save_roles(self, set_id: str, superuser: bool) -> Part:
        options = ["--globals-only", "--no-tablespaces", "--no-password"]
        if not superuser:
            options.append("--no-role-passwords")
            self._tools.warn(
                f"{self._target.name}: {self._target.user} is no superuser: the set holds roles "
                "without their passwords"
            )
        options.append(f"--database={self._database}")
        source = self._server.command("pg_dumpall", self._database, *options)
        name = PartName(set_id, self._target.name, _ROLES)
        filename = f"{self._target.name}-roles.sql"
        return save_output(self._tools, name, "SQL", filename, source)

    def _check_empty(self) -> None:
        refuse_missing(self._server, self._database)
        with self._server.connected(self._database) as connection:
            count = count_own_relations(connection)
        if count:
            raise BackupError(
                Reason.TARGET_NOT_EMPTY,
                f"{self._target.name}: the database {self._database} holds {count} tables, views "
                "or sequences",
                "restore to an empty database, or ask for mode InPlace, which replaces it",
                permanent=True,
            )

    def _check_versions(self, connection: Connection, record: TargetRecord) -> None:
        version = read_versions(connection)["server"]
        if _major(version) < _major(record.versions["server"]):
            raise self._unsuitable(
                f"PostgreSQL {version} is older than {record.versions['server']}, which the set "
                "was made with",
                "restore to a server of the same version or a newer one",
            )
        available = {
            name for (name,) in query(connection, "SELECT name FROM pg_available_extensions")
        }
        needed = [key.split()[1] for key in record.versions if key.startswith("extension ")]
        if missing := [name for name in needed if name not in available]:
            raise self._unsuitable(
                f"the server lacks the extension {', '.join(missing)}",
                "restore to a server with the image that the set was made from",
            )

    def _unsuitable(self, problem: str, mend: str) -> BackupError:
        name = self._target.name
        return BackupError(Reason.TARGET_UNSUITABLE, f"{name}: {problem}", mend, permanent=True)

    def _restore_roles(self, part: Part) -> None:
        script = self._tools.restic.read_bytes(part.snapshot, part.path)
        with self._server.connected(MAINTENANCE) as connection:
            existing = {name for (name,) in query(connection, "SELECT rolname FROM pg_roles")}
        missing = keep_missing(script, existing)
        if not find_roles(missing):
            return
        words = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--no-password")
        command = self._server.command("psql", MAINTENANCE, *words)
        finished = self._tools.programs.run(command, missing.encode())
        if finished.code:
            raise BackupError(
                Reason.RESTORE_FAILED,
                f"{self._target.name}: the roles were not restored: {last_words(finished)}",
                "make the roles by hand, then restore again",
            )

    def _restore_dump(self, part: Part) -> None:
        with self._server.connected(MAINTENANCE) as connection:
            [(number,)] = query(connection, "SHOW server_version_num")
        strict = ("--exit-on-error",) if int(number) >= 170_000 else ()
        options = ("--no-password", "--no-tablespaces", f"--dbname={self._database}", *strict)
        command = self._server.command("pg_restore", self._database, *options)
        write_part(self._tools, part, command, is_only_the_unknown_setting)


def _is_superuser(connection: Connection) -> bool:
    [(superuser,)] = query(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(superuser)


def _warn_of_changes(read: Facts, steady: Facts) -> tuple[str, ...]:
    changed = sorted(read.keys() - steady.keys())
    if not changed:
        return ()
    told = "were emptied or rewritten meanwhile: no drill compares them"
    return (f"{len(changed)} of {len(read)} tables {told}: {', '.join(changed)[:300]}",)


def _major(version: str) -> int:
    return int(version.split()[0].partition(".")[0])


def is_only_the_unknown_setting(ended: Finished) -> bool:
    """Tell whether pg_restore ended badly for nothing but that."""
    one = ended.errors.rstrip().endswith("errors ignored on restore: 1")
    return one and _UNKNOWN_SETTING in ended.errors
