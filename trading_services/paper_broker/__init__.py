"""A durable paper venue: its own schema, its own connection, costs and slippage."""
