"""The operator beside its peers on one real API server: `make bench`."""
