"""The trading state that the system's owner hands out as a file: which orders may be sent."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class TradingState(StrEnum):
    """Which orders may be sent: all, those that reduce a position, none."""

    ACTIVE = "Active"
    REDUCE_ONLY = "ReduceOnly"
    HALTED = "Halted"


@dataclass(frozen=True)
class Permission:
    """Why entries are refused, and why exits are; None allows them."""

    entries_refused: str | None = None
    exits_refused: str | None = None


@dataclass(frozen=True)
class StateFile:
    """The file that TRADING_STATE_FILE names; without one there is nobody to hand out a state."""

    path: Path | None = None

    def read(self) -> Permission:
        """Return what may be sent at this moment; a file that says nothing allows nothing."""
        if self.path is None:
            return Permission()
        try:
            state = TradingState(self.path.read_text(encoding="utf-8").strip())
        except (OSError, ValueError) as error:
            reason = f"trading state unknown: {error}"
            return Permission(reason, reason)
        if state is TradingState.ACTIVE:
            return Permission()
        reason = f"tradingState is {state}"
        return Permission(reason, reason if state is TradingState.HALTED else None)
