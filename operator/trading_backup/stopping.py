"""SIGTERM: every child is asked to end at once, and nothing new is begun."""

import os
import signal
import subprocess
from contextlib import suppress
from types import FrameType

from trading_backup.errors import StoppedError

Child = subprocess.Popen[bytes]


class Stop:
    """Whether the pod was told to stop, and the children that then end.

    The handler only sets a flag and signals: an exception out of a handler could come between a
    child's start and the line that remembers it.
    """

    def __init__(self) -> None:
        """Nobody asked yet."""
        self.asked = False
        self._children: set[Child] = set()

    def install(self) -> None:
        """Listen for SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        for child in tuple(self._children):
            signal_group(child, signal.SIGTERM)

    def check(self) -> None:
        """Raise StoppedError when the pod was told to stop."""
        if self.asked:
            raise StoppedError

    def watch(self, child: Child) -> None:
        """Remember a child; raises StoppedError when the signal came while it started."""
        self._children.add(child)
        self.check()

    def forget(self, child: Child) -> None:
        """Forget a child that has ended."""
        self._children.discard(child)


def signal_group(child: Child, number: signal.Signals) -> None:
    """Signal a child and what it started, unless it has ended."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
