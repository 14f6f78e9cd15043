"""The operator's I/O layers, against a small HTTP server that misbehaves as it is told."""
