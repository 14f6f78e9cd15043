"""Raw copies: every bar once, also after a crash in the middle of a line."""

import csv
from pathlib import Path

from trading_services.data_acquisition.raw_copies import RawCopies
from trading_services.market_data.recorded import read_series


def _times(path: Path) -> list[str]:
    with path.open() as file:
        return [row["timestamp"] for row in csv.DictReader(file)]


def test_every_bar_is_copied_once(tmp_path: Path) -> None:
    bars = read_series("IBM", "1d")[:20]
    copies = RawCopies(tmp_path)

    copies.append(bars[:12])
    copies.append(bars[5:20])

    assert _times(tmp_path / "raw" / "IBM_1d.csv") == [bar.timestamp.isoformat() for bar in bars]


def test_a_line_cut_by_a_crash_is_repaired_by_the_next_process(tmp_path: Path) -> None:
    bars = read_series("IBM", "1d")[:20]
    path = tmp_path / "raw" / "IBM_1d.csv"
    RawCopies(tmp_path).append(bars[:10])
    path.write_bytes(path.read_bytes()[:-7])

    RawCopies(tmp_path).append(bars[5:20])

    assert _times(path) == [bar.timestamp.isoformat() for bar in bars]
    assert float(path.read_text().splitlines()[10].split(",")[4]) == bars[9].close


def test_without_a_data_volume_nothing_is_copied(tmp_path: Path) -> None:
    copies = RawCopies(tmp_path / "absent")

    copies.append(read_series("IBM", "1d")[:3])

    assert not (tmp_path / "absent").exists()
