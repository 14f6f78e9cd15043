"""How far data and features reach, read from the tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trading_services.database.connection import Database
from trading_services.system_controller.market_hours import Market

# A lateral look at the newest row a series costs one index step; a GROUP BY would read it all.
_PIPELINE = """
SELECT known.symbol, known.timeframe, bar.timestamp, bar.source, feature.timestamp,
       (SELECT count(*) FROM stock_aggs AS newer
        WHERE newer.symbol = known.symbol AND newer.timeframe = known.timeframe
          AND newer.timestamp > coalesce(feature.timestamp, '-infinity'))
FROM unnest(%s::text[], %s::text[]) AS known (symbol, timeframe)
JOIN LATERAL (
    SELECT timestamp, source FROM stock_aggs
    WHERE symbol = known.symbol AND timeframe = known.timeframe
    ORDER BY timestamp DESC LIMIT 1
) AS bar ON true
LEFT JOIN LATERAL (
    SELECT timestamp FROM features
    WHERE symbol = known.symbol AND timeframe = known.timeframe
    ORDER BY timestamp DESC LIMIT 1
) AS feature ON true
"""


@dataclass(frozen=True)
class SeriesLag:
    """One series: its newest bar, its newest features, and the bars between them."""

    symbol: str
    timeframe: str
    last_bar: datetime
    source: str | None
    last_feature: datetime | None
    bars_behind: int

    @property
    def seconds_behind(self) -> float | None:
        """Return the market time between the newest bar and the newest features."""
        if self.last_feature is None:
            return None
        return (self.last_bar - self.last_feature).total_seconds()


def read_pipeline(database: Database, markets: Sequence[Market]) -> list[SeriesLag]:
    """Return the lag of every series of the markets that has bars."""
    series = [(symbol, market.timeframe) for market in markets for symbol in market.symbols]
    symbols = [symbol for symbol, _ in series]
    timeframes = [timeframe for _, timeframe in series]
    return [SeriesLag(*row) for row in database.query(_PIPELINE, (symbols, timeframes))]
