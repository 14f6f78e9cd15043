-- What the trading strategy keeps besides the document's tables: the fence, decisions, the journal.

-- Who may write orders: every takeover raises the token, and the journal refuses an older one.
CREATE TABLE IF NOT EXISTS writer_fence (
    strategy TEXT PRIMARY KEY,
    token BIGINT NOT NULL CHECK (token > 0),
    holder TEXT NOT NULL,
    acquired_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- One row a decided bar, also for those on which nothing was done.
CREATE TABLE IF NOT EXISTS signals (
    strategy TEXT NOT NULL,
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    bar_time TIMESTAMPTZ NOT NULL,
    model_id TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    strength DOUBLE PRECISION NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('Entry', 'Exit', 'Hold')),
    reason TEXT NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT signals_pkey PRIMARY KEY (strategy, symbol, timeframe, bar_time)
);

-- The last decided bar, written in the statement that writes the decision.
CREATE TABLE IF NOT EXISTS decision_progress (
    strategy TEXT NOT NULL,
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    last_bar TIMESTAMPTZ NOT NULL,
    CONSTRAINT decision_progress_pkey PRIMARY KEY (strategy, symbol, timeframe)
);

-- The journal: a row is here before its order is sent anywhere.
CREATE TABLE IF NOT EXISTS orders (
    client_order_id TEXT PRIMARY KEY,
    strategy TEXT NOT NULL,
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    bar_time TIMESTAMPTZ NOT NULL,
    intent TEXT NOT NULL CHECK (intent IN ('Entry', 'Exit')),
    side TEXT NOT NULL CHECK (side IN ('Buy', 'Sell')),
    shares NUMERIC NOT NULL CHECK (shares > 0),
    state TEXT NOT NULL
        CHECK (state IN ('Intent', 'Sent', 'Accepted', 'Filled', 'Rejected', 'Cancelled')),
    fence_token BIGINT NOT NULL,
    position_id TEXT NOT NULL,
    stop_price NUMERIC,
    target_price NUMERIC,
    risk_amount NUMERIC,
    conviction DOUBLE PRECISION NOT NULL,
    strength DOUBLE PRECISION NOT NULL,
    reason TEXT NOT NULL,
    venue_order_id TEXT,
    note TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- An entry that may be lost without its protection would leave a position without a stop.
    CONSTRAINT orders_entry_is_protected CHECK (
        intent = 'Exit'
        OR (stop_price IS NOT NULL AND target_price IS NOT NULL AND risk_amount IS NOT NULL)
    )
);

-- One order at work a market: the books could not be rebuilt from more.
CREATE UNIQUE INDEX IF NOT EXISTS idx_orders_one_working
    ON orders (strategy, symbol, timeframe) WHERE state IN ('Intent', 'Sent', 'Accepted');
CREATE INDEX IF NOT EXISTS idx_orders_market ON orders (strategy, symbol, timeframe, bar_time);

CREATE TABLE IF NOT EXISTS fills (
    fill_id TEXT PRIMARY KEY,
    client_order_id TEXT NOT NULL UNIQUE REFERENCES orders (client_order_id),
    price NUMERIC NOT NULL CHECK (price > 0),
    shares NUMERIC NOT NULL CHECK (shares > 0),
    cost NUMERIC NOT NULL CHECK (cost >= 0),
    filled_at TIMESTAMPTZ NOT NULL
);

-- Latched: it outlives every restart until a person releases it.
CREATE TABLE IF NOT EXISTS trading_halts (
    strategy TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    halted_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE OR REPLACE VIEW trading_summary AS
WITH decided AS (
    SELECT strategy, count(*) AS bars_decided, count(*) FILTER (WHERE action <> 'Hold') AS signals
    FROM signals GROUP BY strategy
), ordered AS (
    SELECT orders.strategy,
           count(*) AS orders,
           count(*) FILTER (WHERE state IN ('Intent', 'Sent', 'Accepted')) AS orders_working,
           count(*) FILTER (WHERE state = 'Rejected') AS orders_rejected,
           count(*) FILTER (WHERE state = 'Cancelled') AS orders_cancelled,
           count(fills.fill_id) AS fills,
           coalesce(sum(fills.cost), 0) AS costs
    FROM orders LEFT JOIN fills USING (client_order_id) GROUP BY orders.strategy
), held AS (
    SELECT strategy,
           count(*) FILTER (WHERE status = 'Open') AS positions_open,
           count(*) FILTER (WHERE status = 'Closed') AS positions_closed,
           count(*) FILTER (WHERE profit_loss > 0) AS positions_won,
           coalesce(sum(profit_loss), 0) AS realised_profit
    FROM positions GROUP BY strategy
)
SELECT decided.strategy, bars_decided, signals,
       coalesce(orders, 0) AS orders,
       coalesce(orders_working, 0) AS orders_working,
       coalesce(orders_rejected, 0) AS orders_rejected,
       coalesce(orders_cancelled, 0) AS orders_cancelled,
       coalesce(fills, 0) AS fills,
       coalesce(positions_open, 0) AS positions_open,
       coalesce(positions_closed, 0) AS positions_closed,
       coalesce(positions_won, 0) AS positions_won,
       coalesce(realised_profit, 0) AS realised_profit,
       coalesce(costs, 0) AS costs
FROM decided LEFT JOIN ordered USING (strategy) LEFT JOIN held USING (strategy);
