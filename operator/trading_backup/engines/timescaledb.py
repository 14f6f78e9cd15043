"""TimescaleDB by dumps: the extension at the set's version, and its workers out of the way."""

from collections.abc import Iterator
from contextlib import contextmanager

from trading_backup.engines.postgresql import LogicalPostgreSQL
from trading_backup.manifest import TargetRecord
from trading_backup.postgresql.connection import Connection, query

_VERSION = "extension timescaledb"
# The extension brings a job of its own that can only fail under the Apache licence.
_WITHOUT_A_FAILING_JOB = """UPDATE _timescaledb_config.bgw_job SET scheduled = false
WHERE proc_name = 'policy_job_stat_history_retention'
  AND current_setting('timescaledb.license') = 'apache'"""


class LogicalTimescaleDB(LogicalPostgreSQL):
    """One database of a server with TimescaleDB."""

    def publish(self) -> None:
        """Let the restored database take its place; then its jobs may run."""
        super().publish()
        with self._server.connected(self._database) as connection:
            if _is_installed(connection):
                query(connection, "SELECT _timescaledb_functions.start_background_workers()")

    @contextmanager
    def _prepared(self, record: TargetRecord) -> Iterator[None]:
        """Restore between the extension's own two calls, which keep its catalogue consistent."""
        version = record.versions.get(_VERSION)
        if version is None:
            yield
            return
        install = "CREATE EXTENSION timescaledb WITH SCHEMA public VERSION %s"
        with self._server.connected(self._database) as connection:
            query(connection, install, version)
        self._run("SELECT timescaledb_pre_restore()")
        yield
        self._run(
            "SELECT timescaledb_post_restore()",
            # Until the data are compared: a retention policy would drop what is old by now.
            "SELECT _timescaledb_functions.stop_background_workers()",
            _WITHOUT_A_FAILING_JOB,
        )

    def _check_versions(self, connection: Connection, record: TargetRecord) -> None:
        super()._check_versions(connection, record)
        wanted = record.versions.get(_VERSION)
        statement = "SELECT version FROM pg_available_extension_versions WHERE name = 'timescaledb'"
        available = {version for (version,) in query(connection, statement)}
        if wanted is not None and wanted not in available:
            raise self._unsuitable(
                f"it has TimescaleDB {', '.join(sorted(available))}, and the set was made with "
                f"{wanted}",
                f"restore to an image with {wanted}, then ALTER EXTENSION timescaledb UPDATE",
            )

    def _run(self, *statements: str) -> None:
        with self._server.connected(self._database) as connection:
            for statement in statements:
                query(connection, statement)


def _is_installed(connection: Connection) -> bool:
    return bool(query(connection, "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"))
