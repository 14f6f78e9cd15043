"""What the trading state's file allows; one that says nothing allows nothing."""

from pathlib import Path

import pytest

from trading_services.trading_strategy.book import Intent
from trading_services.trading_strategy.controls import Controls
from trading_services.trading_strategy.trading_state import StateFile


@pytest.mark.parametrize(
    ("content", "entries", "exits"),
    [
        ("Active\n", True, True),
        ("ReduceOnly\n", False, True),
        ("Halted", False, False),
        ("", False, False),
        ("halted", False, False),
        ("\xff", False, False),
    ],
)
def test_only_a_known_state_allows_orders(
    tmp_path: Path, content: str, entries: bool, exits: bool
) -> None:
    file = tmp_path / "trading_state"
    file.write_bytes(content.encode("latin-1"))
    found = StateFile(file).read()
    assert (found.entries_refused is None, found.exits_refused is None) == (entries, exits)


def test_a_file_that_is_not_there_allows_nothing_and_says_which(tmp_path: Path) -> None:
    found = StateFile(tmp_path / "trading_state").read()
    assert found.exits_refused is not None
    assert str(tmp_path / "trading_state") in found.exits_refused


def test_without_anybody_who_hands_out_a_state_everything_is_allowed() -> None:
    assert Controls().halt_reason is None
    assert Controls().exit_refusal is None


def test_every_look_reads_the_file_anew(tmp_path: Path) -> None:
    file = tmp_path / "trading_state"
    file.write_text("Active")
    controls = Controls(StateFile(file))
    assert controls.halt_reason is None
    file.write_text("ReduceOnly")
    assert controls.halt_reason == "tradingState is ReduceOnly"
    assert controls.exit_refusal is None
    assert controls.cancels(Intent.ENTRY)
    assert not controls.cancels(Intent.EXIT)


def test_a_halt_that_a_person_asked_for_comes_first_and_spares_exits(tmp_path: Path) -> None:
    file = tmp_path / "trading_state"
    file.write_text("Active")
    controls = Controls(StateFile(file))
    controls.halt("fat finger")
    assert controls.halt_reason == "fat finger"
    assert controls.exit_refusal is None
