"""The workloads of a trading system: real services on recorded or live market data."""
