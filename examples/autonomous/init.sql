-- The tables of the trading system; the example mounts this file for the database's first start.

-- Create extensions
CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;

-- Create stock_aggs table
CREATE TABLE IF NOT EXISTS stock_aggs (
    symbol TEXT NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    open NUMERIC NOT NULL,
    high NUMERIC NOT NULL,
    low NUMERIC NOT NULL,
    close NUMERIC NOT NULL,
    volume NUMERIC NOT NULL,
    timeframe TEXT NOT NULL,
    source TEXT,
    CONSTRAINT stock_aggs_pkey PRIMARY KEY (symbol, timestamp, timeframe)
);

-- Create hypertable for time partitioning
SELECT create_hypertable('stock_aggs', 'timestamp', if_not_exists => TRUE);

-- Create index for symbol-based queries
CREATE INDEX IF NOT EXISTS idx_stock_aggs_symbol ON stock_aggs (symbol, timeframe, timestamp DESC);

-- Create features table
CREATE TABLE IF NOT EXISTS features (
    symbol TEXT NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    feature_name TEXT NOT NULL,
    value NUMERIC NOT NULL,
    timeframe TEXT NOT NULL,
    feature_group TEXT,
    CONSTRAINT features_pkey PRIMARY KEY (symbol, timestamp, feature_name, timeframe)
);

-- Create hypertable for time partitioning
SELECT create_hypertable('features', 'timestamp', if_not_exists => TRUE);

-- Create index for symbol-based queries
CREATE INDEX IF NOT EXISTS idx_features_symbol ON features (symbol, feature_group, timeframe, timestamp DESC);

-- Create positions table
CREATE TABLE IF NOT EXISTS positions (
    position_id TEXT PRIMARY KEY,
    symbol TEXT NOT NULL,
    entry_price NUMERIC NOT NULL,
    stop_price NUMERIC,
    target_price NUMERIC,
    shares NUMERIC NOT NULL,
    position_value NUMERIC NOT NULL,
    risk_amount NUMERIC NOT NULL,
    entry_time TIMESTAMPTZ NOT NULL,
    exit_time TIMESTAMPTZ,
    exit_price NUMERIC,
    profit_loss NUMERIC,
    status TEXT NOT NULL,
    strategy TEXT NOT NULL,
    conviction_score NUMERIC,
    signal_strength NUMERIC,
    notes TEXT
);

-- Create index for symbol-based queries
CREATE INDEX IF NOT EXISTS idx_positions_symbol ON positions (symbol);

-- Create index for status-based queries
CREATE INDEX IF NOT EXISTS idx_positions_status ON positions (status);

-- Create model_registry table
CREATE TABLE IF NOT EXISTS model_registry (
    model_id TEXT PRIMARY KEY,
    model_type TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    trained_at TIMESTAMPTZ NOT NULL,
    metrics JSONB NOT NULL,
    hyperparameters JSONB NOT NULL,
    features_used JSONB NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    file_path TEXT,
    performance_history JSONB
);

-- Create index for model type and timeframe queries
CREATE INDEX IF NOT EXISTS idx_model_registry_type_timeframe ON model_registry (model_type, timeframe);
