"""How fast a bad change goes back, and what its clients notice: `make bench-rollback`."""
