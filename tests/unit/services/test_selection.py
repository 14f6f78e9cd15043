"""The file that names the models to trade with: whatever is in it, trading goes on."""

import json
from pathlib import Path

import pytest

from trading_services.trading_strategy.selection import SelectionFile

LINE = {
    "type": "lightgbm-direction",
    "timeframe": "1d",
    "id": "v1",
    "digest": "a" * 64,
    "since": "2026-12-01T12:00:00Z",
}


def _write(path: Path, *lines: dict[str, str]) -> None:
    path.write_text(json.dumps({"models": list(lines)}))


def test_it_says_when_something_else_is_selected(tmp_path: Path) -> None:
    path = tmp_path / "strategy.models.json"
    file = SelectionFile(path)
    assert not file.refresh()
    _write(path, LINE)
    assert file.refresh()
    assert [line.id for line in file.lines] == ["v1"]
    assert not file.refresh()
    path.write_text(path.read_text() + "\n")
    assert not file.refresh()  # other bytes, the same lines
    path.unlink()
    assert file.refresh()
    assert file.lines == ()


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        json.dumps({"models": [{**LINE, "digest": "short"}]}),
        json.dumps({"models": [{**LINE, "since": "2026-12-01T12:00:00"}]}),
        json.dumps({"models": [LINE] * 65}),
    ],
)
def test_what_cannot_be_read_keeps_what_was_read_and_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "strategy.models.json"
    file = SelectionFile(path)
    _write(path, LINE)
    file.refresh()
    path.write_text(text)
    assert not file.refresh()
    assert [line.id for line in file.lines] == ["v1"]
    assert "kept" in file.trouble
    _write(path, {**LINE, "id": "v2"})
    assert file.refresh()
    assert (file.trouble, file.lines[0].id) == ("", "v2")


def test_without_a_path_nothing_is_selected() -> None:
    file = SelectionFile(None)
    assert not file.refresh()
    assert file.lines == ()
