"""Small pure builders of Kubernetes objects, one file per kind."""
