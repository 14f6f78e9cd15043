"""Readiness: named checks, each answers why the service is not ready."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trading_services.contract.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True)
class ReadinessCheck:
    """A named question; `ask` returns None when all is well, else the reason.

    A check that asks for progress (fresh data) is `skipped_when_paused`: standing still is then
    what the person asked for.
    """

    name: str
    ask: Callable[[], str | None]
    skipped_when_paused: bool = False


def find_reasons(checks: Iterable[ReadinessCheck], *, paused: bool) -> dict[str, str]:
    """Ask every check; a check that raises counts as not ready with the error as the reason."""
    asked = [check for check in checks if not (paused and check.skipped_when_paused)]
    answers = {check.name: _ask(check) for check in asked}
    return {name: reason for name, reason in answers.items() if reason is not None}


def _ask(check: ReadinessCheck) -> str | None:
    try:
        return check.ask()
    except Exception as error:
        _log.warning("readiness check failed", check=check.name, error=str(error).strip())
        return f"{type(error).__name__}: {str(error).strip()}"
