"""One plan on its way to the API server, and what went wrong with it."""

import logging
from dataclasses import dataclass, field

from trading_operator.kube.access import Kube
from trading_operator.kube.errors import ApiError
from trading_operator.kube.read import key_of
from trading_operator.kube.resources import CLAIMS, CONFIG_MAPS, SECRETS
from trading_operator.plan.observed import Observed, Ref
from trading_operator.plan.types import Failure, Manifest, Owner

# Pods name these in their spec and do not start, or start wrong, without them.
_MOUNTED = frozenset({CLAIMS.kind, CONFIG_MAPS.kind, SECRETS.kind})

_log = logging.getLogger(__name__)


@dataclass
class Attempt:
    """One plan on its way to the API server."""

    kube: Kube
    owner: Owner
    observed: Observed
    children: dict[Ref, Manifest]
    failures: list[Failure] = field(default_factory=list)
    errors: list[ApiError] = field(default_factory=list)  # to be tried again soon
    unmade: set[Ref] = field(default_factory=set)  # what is not there and could not be made
    absent: set[str] = field(default_factory=set)  # the names of what pods mount of it
    writes: int = 0


def note_absent(attempt: Attempt, ref: Ref) -> None:
    """Remember what is not there, above all what pods would mount.

    The file of the trading state is among it, though a pod starts without: a service that nobody
    can tell to halt is not started.
    """
    if ref in attempt.observed.children:
        return
    attempt.unmade.add(ref)
    if ref.kind in _MOUNTED:
        attempt.absent.add(ref.name)


def note_error(attempt: Attempt, ref: Ref, manifest: Manifest, error: ApiError) -> None:
    """Keep a refusal for the status, and what may go well next time for the next try."""
    if not error.refused:
        attempt.errors.append(error)
        return
    failure = attempt.kube.refusals.add(key_of(attempt.owner), ref, manifest, error)
    attempt.failures.append(failure)
    _log.log(
        error.log_level,
        "write refused",
        extra={"system": key_of(attempt.owner), "object": ref, "error": failure.message},
    )
