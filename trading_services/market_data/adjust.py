"""Adjustment of daily bars for splits and dividends, from the record's adjusted closes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from trading_services.market_data.bars import Bar

# No dividend of the record moves the factor this much in a day; the smallest split is 3:2.
_SPLIT_RATIO = 1.25
_DECIMALS = 6


def adjust(bars: Sequence[Bar], adjusted_closes: Sequence[float]) -> list[Bar]:
    """Scale prices so that returns are what a holder earned, and the last bar stays as traded.

    Volume is scaled by splits only: a dividend changes no number of shares.
    """
    factors = [adjusted / bar.close for bar, adjusted in zip(bars, adjusted_closes, strict=True)]
    shares = list(_share_factors(factors))
    return [
        _scale(bar, factor / factors[-1], share / shares[-1])
        for bar, factor, share in zip(bars, factors, shares, strict=True)
    ]


def _share_factors(factors: Sequence[float]) -> Iterator[float]:
    share, previous = 1.0, factors[0]
    for factor in factors:
        ratio = factor / previous
        if max(ratio, 1 / ratio) > _SPLIT_RATIO:
            share *= ratio
        previous = factor
        yield share


def _scale(bar: Bar, price: float, share: float) -> Bar:
    return replace(
        bar,
        open=round(bar.open * price, _DECIMALS),
        high=round(bar.high * price, _DECIMALS),
        low=round(bar.low * price, _DECIMALS),
        close=round(bar.close * price, _DECIMALS),
        volume=round(bar.volume / share),
    )
