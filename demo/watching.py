"""Shows a TradingSystem coming up, until it is Ready or will not be."""

import shutil
import sys
import time
from typing import Any

from demo.kubectl import CommandError, Tools
from demo.tree import build_lines

POLL = 1.0  # seconds between two looks
STALLED_FOR = 30.0  # seconds a stalled system is given before the demo gives up


def condition(system: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a condition of the system's current spec, or an empty one."""
    status = system.get("status", {})
    if status.get("observedGeneration") != system["metadata"]["generation"]:
        return {}
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {})


class Screen:
    """Redraws lines in place on a terminal; elsewhere prints what changed."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._drawn: list[str] = []

    @property
    def colour(self) -> bool:
        """Whether the output shows colours."""
        return self._live

    def draw(self, lines: list[str], seconds: float) -> None:
        """Show the lines as they are now."""
        if self._live:
            columns = shutil.get_terminal_size().columns
            if self._drawn:
                sys.stdout.write(f"\033[{len(self._drawn)}F\033[J")
            sys.stdout.write("".join(f"{line[:columns]}\n" for line in lines))
        else:
            new = [line for line in lines if line not in self._drawn]
            sys.stdout.write("".join(f"  {seconds:5.0f} s {line}\n" for line in new))
        sys.stdout.flush()
        self._drawn = lines


def wait_until_ready(tools: Tools, namespace: str, name: str, timeout: float) -> float:
    """Draw the system until it is Ready; return the seconds it took, or raise CommandError."""
    screen = Screen()
    started = time.monotonic()
    stalled_since: float | None = None
    while True:
        seconds = time.monotonic() - started
        system = tools.get("tradingsystem", name, "-n", namespace)
        screen.draw(build_lines(system, colour=screen.colour), seconds)
        if condition(system, "Ready").get("status") == "True":
            return seconds
        stalled = condition(system, "Stalled")
        stalled_since = (stalled_since or seconds) if stalled.get("status") == "True" else None
        if seconds > timeout or (stalled_since and seconds - stalled_since > STALLED_FOR):
            why = stalled.get("message") or condition(system, "Ready").get("message", "no status")
            raise CommandError(
                f"{name} is not Ready after {seconds:.0f} s: {why}. "
                f"Look further: kubectl describe tradingsystem {name} -n {namespace}"
            )
        time.sleep(POLL)
