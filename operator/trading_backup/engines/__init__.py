"""The engines, one file each; a new one needs its file, its target in job.py and its line here."""

from trading_backup.engines.base import Engine
from trading_backup.engines.physical import PhysicalPostgreSQL
from trading_backup.engines.postgresql import LogicalPostgreSQL
from trading_backup.engines.redis import RedisServer
from trading_backup.engines.timescaledb import LogicalTimescaleDB
from trading_backup.engines.volumes import Volume
from trading_backup.job import PostgreSQLTarget, RedisTarget, Target
from trading_backup.tools import Tools


def open_engine(target: Target, tools: Tools) -> Engine:
    """Return the engine of a target."""
    if isinstance(target, PostgreSQLTarget):
        return _open_postgresql(target, tools)
    if isinstance(target, RedisTarget):
        return RedisServer(target, tools)
    return Volume(target, tools)


def _open_postgresql(target: PostgreSQLTarget, tools: Tools) -> Engine:
    if target.method == "Physical":
        return PhysicalPostgreSQL(target, tools)
    if target.engine == "TimescaleDB":
        return LogicalTimescaleDB(target, tools)
    return LogicalPostgreSQL(target, tools)
