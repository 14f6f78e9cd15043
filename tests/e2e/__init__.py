"""The whole example on a real node: real kubelet, containers, databases and services."""
