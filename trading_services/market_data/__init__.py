"""Market data: bars, and readers of recorded series that ship in PyPI packages."""
