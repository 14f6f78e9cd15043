"""One series in memory: its bars, and how far each of its features is written."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from trading_services.feature_engineering.bar_reader import BarRow, SeriesKey, build_frame
from trading_services.feature_engineering.compute import compute_wide, melt
from trading_services.feature_engineering.schema import Feature

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class Series:
    """Bars from the first on, kept because exponential averages remember all of them."""

    def __init__(
        self,
        key: SeriesKey,
        bars: pl.DataFrame,
        features: Sequence[Feature],
        marks: Mapping[str, datetime],
    ) -> None:
        """Take the bars there are; `marks` says how far each feature is in the table."""
        self.key = key
        self._bars = bars
        self._features = features
        self._marks = {feature.name: marks.get(feature.name, _BEGINNING) for feature in features}

    @property
    def count(self) -> int:
        """Return the number of bars."""
        return self._bars.height

    @property
    def last(self) -> datetime:
        """Return the newest bar's time."""
        last: datetime = self._bars.item(-1, "timestamp")
        return last

    @property
    def behind(self) -> bool:
        """Tell whether some feature is not written up to the newest bar."""
        return any(mark < self.last for mark in self._marks.values())

    def append(self, rows: Sequence[BarRow]) -> None:
        """Add newer bars, in time order."""
        self._bars = pl.concat([self._bars, build_frame(rows)], rechunk=True)

    def compute_unwritten(self) -> pl.DataFrame:
        """Return the long rows later than each feature's mark."""
        wide = compute_wide(self._bars, self._features)
        newer = wide.filter(pl.col("timestamp") > min(self._marks.values()))
        long = melt(newer, self._features)
        marks = pl.col("feature_name").replace_strict(
            self._marks, return_dtype=pl.Datetime("us", "UTC")
        )
        return long.filter(pl.col("timestamp") > marks)

    def mark_written(self) -> None:
        """Remember that every feature is in the table up to the newest bar."""
        self._marks = dict.fromkeys(self._marks, self.last)

    def compute_snapshot(self) -> pl.DataFrame:
        """Return bars and features side by side, a row a bar."""
        return self._bars.hstack(compute_wide(self._bars, self._features).drop("timestamp"))
