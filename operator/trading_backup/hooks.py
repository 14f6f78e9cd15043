"""Requests to services around the time in which data are read: let go again whatever happens."""

import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

from trading_backup.errors import BackupError
from trading_backup.job import Hook, Hooks
from trading_backup.reasons import Reason
from trading_backup.tools import Tools

logger = logging.getLogger(__name__)

# No proxy: services are asked inside of the cluster.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def hooked(tools: Tools, hooks: Hooks) -> Iterator[None]:
    """Ask the hooks before the block, and those after it also when something of it failed."""
    try:
        for hook in hooks.before:
            tools.stop.check()
            _ask(tools, hook)
        yield
    except BaseException:
        for hook in hooks.after:
            # What failed first is what the run tells.
            _ask_and_warn(tools, hook)
        raise
    _ask_all(tools, hooks.after)


def _ask_all(tools: Tools, hooks: tuple[Hook, ...]) -> None:
    """Ask every hook, then raise the first failure that counts."""
    failures = [(hook, problem) for hook in hooks if (problem := _post(hook))]
    for hook, problem in failures:
        tools.warn(_describe(hook, problem))
    for hook, problem in failures:
        if hook.on_failure == "Fail":
            raise _failed(hook, problem)


def _ask(tools: Tools, hook: Hook) -> None:
    problem = _post(hook)
    if problem and hook.on_failure == "Fail":
        raise _failed(hook, problem)
    if problem:
        tools.warn(_describe(hook, problem))


def _ask_and_warn(tools: Tools, hook: Hook) -> None:
    if problem := _post(hook):
        tools.warn(_describe(hook, problem))


def _post(hook: Hook) -> str:
    """Ask a hook; return what went wrong, nothing when all is well."""
    request = urllib.request.Request(hook.url, data=b"", method="POST")
    try:
        with _opener.open(request, timeout=hook.timeout_seconds) as answer:
            logger.info("hook asked", extra={"hook": hook.name, "status": answer.status})
            return ""
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except (OSError, ValueError, HTTPException) as error:
        # Also one that speaks no HTTP: the hooks after it are asked all the same.
        return " ".join(str(error).split()) or type(error).__name__


def _describe(hook: Hook, problem: str) -> str:
    return f"hook {hook.name}: {problem}"


def _failed(hook: Hook, problem: str) -> BackupError:
    mend = "mend the service, or let the hook continue on failure"
    return BackupError(Reason.HOOK_FAILED, f"{_describe(hook, problem)} ({hook.url})", mend)
