"""What people and the frame ask of the desk: halt and drain; written by other threads."""

import threading
from enum import StrEnum

from trading_services.trading_strategy.book import Intent
from trading_services.trading_strategy.trading_state import StateFile


class DrainMode(StrEnum):
    """Hold leaves working orders where they are, CancelOrders takes them back."""

    HOLD = "Hold"
    CANCEL_ORDERS = "CancelOrders"


class Controls:
    """Flags that the desk looks at before every decision."""

    def __init__(self, state_file: StateFile | None = None) -> None:
        """Start with all allowed that the trading state allows."""
        self._state_file = state_file or StateFile()
        self.latched_halt: str | None = None
        self.paused = False
        self._asked_halt: str | None = None
        self.drained = threading.Event()
        self._drain: DrainMode | None = None

    @property
    def halt_reason(self) -> str | None:
        """Why entries are refused: the database's latch, what was asked here a moment ago, or the
        trading state as its file has it now.
        """
        asked = self.latched_halt or self._asked_halt
        return asked or self._state_file.read().entries_refused

    @property
    def exit_refusal(self) -> str | None:
        """Why not even orders that reduce a position may be sent; a halt asked here spares them."""
        return self._state_file.read().exits_refused

    def halt(self, reason: str) -> None:
        """Refuse entries from this moment on, before the desk reads the latch again."""
        self._asked_halt = reason

    def release(self) -> None:
        """Take back `halt`; the latch is read again by the desk."""
        self._asked_halt = None

    @property
    def draining(self) -> bool:
        """Whether the working orders are being brought to rest for good."""
        return self._drain is not None

    @property
    def decides(self) -> bool:
        """Whether new decisions may be made; working orders are looked after in any case."""
        return not (self.draining or self.paused)

    def drain(self, mode: DrainMode) -> None:
        """Stop deciding; `drained` is set once working orders are as the mode wants them."""
        self.drained.clear()
        self._drain = mode

    def cancels(self, intent: Intent) -> bool:
        """Whether a working order of this kind is to be taken back; a halt spares exits."""
        if self._drain is DrainMode.CANCEL_ORDERS:
            return True
        return self.halt_reason is not None and intent is Intent.ENTRY

    def note_working(self, working: int) -> None:
        """Hear how many orders are at work after a turn."""
        if self._drain is DrainMode.HOLD or (self.draining and working == 0):
            self.drained.set()
