"""The features' formulas on one series' bars; each row looks at itself and earlier rows only.

Each formula is null until its whole window is there, and at a bar where it has no value.
"""

from collections.abc import Callable

import polars as pl

from trading_services.feature_engineering.schema import Feature

_CLOSE = pl.col("close")
_LOG_RETURN = (_CLOSE / _CLOSE.shift(1)).log()


def build_expression(feature: Feature) -> pl.Expr:
    """Return the feature as a column over bars sorted by time."""
    if isinstance(feature.parameter, str):
        return _calendar(feature.parameter).alias(feature.name)
    return _WINDOWED[feature.kind](feature.parameter).alias(feature.name)


def _period_return(periods: int) -> pl.Expr:
    return _CLOSE / _CLOSE.shift(periods) - 1


def _log_volume_change(periods: int) -> pl.Expr:
    log_volume = (pl.col("volume") + 1).log()
    return log_volume - log_volume.shift(periods)


def _sma_ratio(window: int) -> pl.Expr:
    return _CLOSE / _CLOSE.rolling_mean(window) - 1


def _ema_ratio(span: int) -> pl.Expr:
    return _CLOSE / _CLOSE.ewm_mean(span=span, adjust=False, min_samples=span) - 1


def _rsi(window: int) -> pl.Expr:
    change = _CLOSE.diff()
    gain = _wilder(change.clip(lower_bound=0), window)
    loss = _wilder((-change).clip(lower_bound=0), window)
    # A price that did not move at all is neither overbought nor oversold.
    return (
        pl.when(gain + loss > 0)
        .then(100 * gain / (gain + loss))
        .otherwise(50)
        .pipe(lambda value: pl.when(gain.is_not_null()).then(value))
    )


def _wilder(values: pl.Expr, window: int) -> pl.Expr:
    return values.ewm_mean(alpha=1 / window, adjust=False, min_samples=window)


def _volatility(window: int) -> pl.Expr:
    return _LOG_RETURN.rolling_std(window)


def _mean_range(window: int) -> pl.Expr:
    return (pl.col("high") / pl.col("low") - 1).rolling_mean(window)


def _momentum(window: int) -> pl.Expr:
    volatility = _volatility(window)
    return pl.when(volatility > 0).then(_period_return(window) / volatility)


def _calendar(field: str) -> pl.Expr:
    moment = pl.col("timestamp").dt.convert_time_zone("America/New_York")
    return _CALENDAR[field](moment).cast(pl.Float64)


_WINDOWED: dict[str, Callable[[int], pl.Expr]] = {
    "return": _period_return,
    "log_volume_change": _log_volume_change,
    "sma_ratio": _sma_ratio,
    "ema_ratio": _ema_ratio,
    "rsi": _rsi,
    "volatility": _volatility,
    "range": _mean_range,
    "momentum": _momentum,
}

_CALENDAR: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "day_of_week": lambda moment: moment.dt.weekday(),
    "day_of_month": lambda moment: moment.dt.day(),
    "month": lambda moment: moment.dt.month(),
    "hour": lambda moment: moment.dt.hour(),
}
