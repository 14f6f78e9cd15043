"""The resources of tradingoperator.io/v1alpha1; the CRDs are generated from these models."""
