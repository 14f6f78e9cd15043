"""A real local Kubernetes cluster for development and tests, without Docker or a registry."""
