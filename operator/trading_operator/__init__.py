"""trading-operator: reconciles trading systems declared as Kubernetes resources."""

__version__ = "0.1.0"
