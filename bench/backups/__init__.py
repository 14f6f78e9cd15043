"""Backups beside the plain tools of the databases, on the same data in the same run."""
