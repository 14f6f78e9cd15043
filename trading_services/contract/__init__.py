"""The service contract: settings, logs, probes, metrics, the worker loop and its control."""
