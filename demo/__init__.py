"""The main job as one command: a cluster, the operator, a system that trades recorded data."""
