-- The paper venue: a world of its own, which only the paper broker's connection touches.
CREATE SCHEMA IF NOT EXISTS paper_broker;

CREATE TABLE IF NOT EXISTS paper_broker.accounts (
    account TEXT PRIMARY KEY,
    fence_token BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS paper_broker.orders (
    client_order_id TEXT PRIMARY KEY,
    venue_order_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES paper_broker.accounts (account),
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('Buy', 'Sell')),
    shares NUMERIC NOT NULL,
    bar_time TIMESTAMPTZ NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('Accepted', 'Filled', 'Rejected', 'Cancelled')),
    reason TEXT,
    received_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_paper_orders_account
    ON paper_broker.orders (account, status);

CREATE TABLE IF NOT EXISTS paper_broker.fills (
    fill_id TEXT PRIMARY KEY,
    client_order_id TEXT NOT NULL UNIQUE REFERENCES paper_broker.orders (client_order_id),
    price NUMERIC NOT NULL,
    shares NUMERIC NOT NULL,
    cost NUMERIC NOT NULL,
    filled_at TIMESTAMPTZ NOT NULL
);
