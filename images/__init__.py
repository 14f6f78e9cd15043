"""The project's container images: built when something changed, kept by content, run for tests."""
