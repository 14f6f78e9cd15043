"""Tables that a database of a trading system could have."""

from typing import Any

from contract.backup.servers import Servers

ORDERS = """
CREATE TABLE orders (id bigserial PRIMARY KEY, at timestamptz NOT NULL, price numeric, note text);
INSERT INTO orders (at, price, note)
SELECT timestamptz '2026-11-01' + n * interval '1 minute', n * 1.25, repeat('x', n % 50)
FROM generate_series(1, 5000) n;
CREATE SCHEMA risk;
CREATE TABLE risk."Odd name" (day date, "limit" double precision, parts jsonb);
INSERT INTO risk."Odd name" VALUES ('2026-11-29', 0.1, '{"a": [1, 2]}'), (NULL, 'NaN', NULL);
CREATE TABLE empty_one (n int);
CREATE MATERIALIZED VIEW daily AS SELECT at::date AS day, count(*) FROM orders GROUP BY 1;
"""
BARS = """
CREATE TABLE bars (at timestamptz NOT NULL, symbol text, close numeric);
SELECT create_hypertable('bars', 'at', chunk_time_interval => interval '7 days');
INSERT INTO bars
SELECT timestamptz '2026-01-01' + n * interval '6 hours', 'S' || n % 3, n
FROM generate_series(1, 1000) n;
"""


def fill(servers: Servers, database: str) -> None:
    """Make the tables in a database of the source."""
    servers.source.read(ORDERS, database)
    if servers.engine == "TimescaleDB":
        servers.source.read(BARS, database)


def in_a_drill(servers: Servers, **fields: Any) -> dict[str, Any]:
    """Fields of a drill into a new, empty database."""
    return {"targets": [servers.target_of(servers.target, servers.make_database())], **fields}
