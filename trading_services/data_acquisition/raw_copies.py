"""Raw copies of every bar received, as CSV in the data volume."""

import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from trading_services.data_acquisition.provider import SeriesKey
from trading_services.market_data.bars import Bar

_HEADER = b"timestamp,open,high,low,close,volume,source\n"
_TAIL_BYTES = 4096


class RawCopies:
    """One append-only file a series; written before the table, so it never lacks a stored bar."""

    def __init__(self, folder: Path) -> None:
        """Keep copies under `folder`/raw, or none where the folder is not mounted."""
        self.enabled = folder.is_dir() and os.access(folder, os.W_OK)
        self._folder = folder / "raw"
        self._last: dict[SeriesKey, datetime] = {}

    def append(self, bars: Sequence[Bar]) -> None:
        """Append the bars that are later than the last one on file."""
        if not self.enabled:
            return
        by_series: dict[SeriesKey, list[Bar]] = defaultdict(list)
        for bar in bars:
            by_series[bar.symbol, bar.timeframe].append(bar)
        for key, series in by_series.items():
            self._append_series(key, series)

    def _append_series(self, key: SeriesKey, bars: Sequence[Bar]) -> None:
        symbol, timeframe = key
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{symbol}_{timeframe}.csv").open("a+b") as file:
            if key not in self._last:
                last = _repair_and_read_last(file)
                if last is not None:
                    self._last[key] = last
            known = self._last.get(key)
            newer = [bar for bar in bars if known is None or bar.timestamp > known]
            if newer:
                file.write(b"".join(_line(bar) for bar in newer))
                self._last[key] = newer[-1].timestamp


def _line(bar: Bar) -> bytes:
    prices = f"{bar.open!r},{bar.high!r},{bar.low!r},{bar.close!r},{bar.volume!r}"
    return f"{bar.timestamp.isoformat()},{prices},{bar.source}\n".encode()


def _repair_and_read_last(file: BinaryIO) -> datetime | None:
    """Cut off a line that a crash left half-written; return the time in the last whole one."""
    size = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read()
    whole = tail.rfind(b"\n") + 1
    file.truncate(start + whole)
    lines = tail[:whole].splitlines()
    if not lines:
        file.write(_HEADER)
        return None
    first_field = lines[-1].split(b",")[0].decode()
    return None if first_field == "timestamp" else datetime.fromisoformat(first_field)
