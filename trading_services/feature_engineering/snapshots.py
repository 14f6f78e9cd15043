"""Parquet snapshots of every series in the features volume."""

import os
from collections.abc import Iterable
from pathlib import Path

from trading_services.feature_engineering.series import Series


class Snapshots:
    """Writes `<symbol>_<timeframe>.parquet`, each replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        """Write under `folder`, or nothing where it is not mounted."""
        self.enabled = folder.is_dir() and os.access(folder, os.W_OK)
        self._folder = folder
        self._written: dict[Path, int] = {}

    def write(self, series: Iterable[Series]) -> None:
        """Write the series that grew since their last snapshot."""
        if not self.enabled:
            return
        for one in series:
            symbol, timeframe = one.key
            path = self._folder / f"{symbol}_{timeframe}.parquet"
            if self._written.get(path) != one.count:
                _replace(path, one)
                self._written[path] = one.count


def _replace(path: Path, series: Series) -> None:
    # A reader sees the old file or the new one, never half of it.
    draft = path.with_suffix(".parquet.tmp")
    series.compute_snapshot().write_parquet(draft)
    draft.replace(path)
