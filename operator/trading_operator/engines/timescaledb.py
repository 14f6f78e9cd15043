"""TimescaleDB: PostgreSQL with hypertables; the version is PostgreSQL's."""

from trading_operator.api.datastore import EngineName
from trading_operator.engines.postgresql_family import PostgreSQLFamily

TIMESCALEDB = PostgreSQLFamily(
    name=EngineName.TIMESCALEDB,
    images={
        "17": "timescale/timescaledb:2.19.3-pg17",
        "16": "timescale/timescaledb:2.19.3-pg16",
        "15": "timescale/timescaledb:2.19.3-pg15",
        "14": "timescale/timescaledb:2.19.3-pg14",
    },
    keeps_market_data=True,
    preload=("timescaledb", "pg_stat_statements"),
    # Its jobs drop old data, and a drill compares what was there.
    quiet=("timescaledb.max_background_workers=0",),
)
