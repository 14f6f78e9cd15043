"""What people and the frame ask of the desk: halt and drain; written by other threads."""

import threading
from enum import StrEnum

from trading_services.trading_strategy.book import Intent


class DrainMode(StrEnum):
    """Hold leaves working orders where they are, CancelOrders takes them back."""

    HOLD = "Hold"
    CANCEL_ORDERS = "CancelOrders"


class Controls:
    """Flags that the desk looks at before every decision."""

    def __init__(self) -> None:
        """Start with trading allowed."""
        self.latched_halt: str | None = None
        self.paused = False
        self._asked_halt: str | None = None
        self.drained = threading.Event()
        self._drain: DrainMode | None = None

    @property
    def halt_reason(self) -> str | None:
        """Why entries are refused: the database's latch, or what was asked here a moment ago."""
        return self.latched_halt or self._asked_halt

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
