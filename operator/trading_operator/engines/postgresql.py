"""PostgreSQL."""

from trading_operator.api.datastore import EngineName
from trading_operator.engines.postgresql_family import PostgreSQLFamily

POSTGRESQL = PostgreSQLFamily(
    name=EngineName.POSTGRESQL,
    images={
        "17": "postgres:17-alpine",
        "16": "postgres:16-alpine",
        "15": "postgres:15-alpine",
        "14": "postgres:14-alpine",
    },
)
