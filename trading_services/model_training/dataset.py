"""Training data: features known at a bar, and the return that could be earned after it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading_services.model_training.walk_forward import Samples

Matrix = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class History:
    """One symbol's bars with complete features: `times` and `opens` of n bars, `features` n x k."""

    symbol: str
    times: Times
    opens: Matrix
    features: Matrix

    def first(self, bars: int) -> "History":
        """Return the history up to its first `bars` bars."""
        return History(self.symbol, self.times[:bars], self.opens[:bars], self.features[:bars])


@dataclass(frozen=True)
class Dataset:
    """Samples of all symbols in time order: `features` m x k, the rest of length m."""

    feature_names: tuple[str, ...]
    symbols: npt.NDArray[np.str_]
    features: Matrix
    returns: Matrix
    samples: Samples
    last_bar: np.datetime64
    digest: str

    @property
    def labels(self) -> npt.NDArray[np.bool_]:
        """Whether the price rose after each sample."""
        return self.returns > 0


def build_dataset(
    histories: Sequence[History], feature_names: Sequence[str], horizon_bars: int
) -> Dataset:
    """Build the samples of all histories; the label starts at the next open, as an order would."""
    parts = [_build_part(history, horizon_bars) for history in histories]
    times = np.concatenate([part.times for part in parts])
    symbols = np.concatenate([part.symbols for part in parts])
    order = np.lexsort((symbols, times))
    return Dataset(
        feature_names=tuple(feature_names),
        symbols=symbols[order],
        features=np.concatenate([part.features for part in parts])[order],
        returns=np.concatenate([part.returns for part in parts])[order],
        samples=Samples(times[order], np.concatenate([part.ends for part in parts])[order]),
        last_bar=max(history.times[-1] for history in histories),
        digest=build_data_digest(histories, feature_names),
    )


def build_data_digest(histories: Sequence[History], feature_names: Sequence[str]) -> str:
    """Return the SHA-256 over names, times, prices and features, in hexadecimal."""
    digest = hashlib.sha256(repr(tuple(feature_names)).encode())
    for history in sorted(histories, key=lambda each: each.symbol):
        digest.update(f"{history.symbol}:{len(history.times)}".encode())
        for values in (history.times.astype("<i8"), history.opens, history.features):
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Part:
    symbols: npt.NDArray[np.str_]
    times: Times
    ends: Times
    features: Matrix
    returns: Matrix


def _build_part(history: History, horizon_bars: int) -> _Part:
    # A sample at bar i is traded at open i+1 and judged at open i+1+horizon.
    count = max(len(history.times) - 1 - horizon_bars, 0)
    entry = history.opens[1 : 1 + count]
    exit_ = history.opens[1 + horizon_bars : 1 + horizon_bars + count]
    return _Part(
        symbols=np.full(count, history.symbol),
        times=history.times[:count],
        ends=history.times[1 + horizon_bars : 1 + horizon_bars + count],
        features=history.features[:count],
        returns=exit_ / entry - 1.0,
    )
