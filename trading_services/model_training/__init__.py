"""Model training: purged walk-forward evaluation, deterministic fits, an idempotent registry."""
