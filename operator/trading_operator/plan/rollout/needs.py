"""What must be read for a pass: also what the revisions name that may be kept up instead."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trading_operator.api.rollout import RolloutPhase
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import Owner
from trading_operator.plan.observed import StoredRevision
from trading_operator.plan.references import References, references
from trading_operator.plan.rollout.commands import ROLLBACK_TO, find_named
from trading_operator.plan.rollout.ledger import Ledger
from trading_operator.plan.rollout.stored_spec import restore_spec
from trading_operator.plan.stored_revision import spec_of


def needed_references(
    owner: Owner,
    spec: TradingSystemSpec,
    stored: Sequence[StoredRevision],
    status: Mapping[str, Any] | None,
) -> References:
    """Return every Secret and ConfigMap that a plan may look at; `stored` is newest first."""
    needed = references(owner, spec)
    if _is_settled(owner, status or {}) and not owner.commands.get(ROLLBACK_TO):
        return needed  # what is kept up is what the spec asks for
    for revision in dict.fromkeys(_candidates(Ledger(owner, stored))):
        former = restore_spec(spec_of(revision), spec)
        if former is not None:
            needed = needed.union(references(owner, former))
    return needed


def _is_settled(owner: Owner, status: Mapping[str, Any]) -> bool:
    phase = (status.get("rollout") or {}).get("phase")
    return phase == RolloutPhase.PROVEN and status.get("observedGeneration") == owner.generation


def _candidates(ledger: Ledger) -> Iterator[StoredRevision]:
    standing = ledger.standing()
    if standing is not None:
        yield standing
    targets = (each.state.return_to for each in ledger.stored if each.state.return_to)
    asked = find_named(ledger, ledger.owner.commands.get(ROLLBACK_TO, ""))
    for each in (ledger.last_good(), asked, *map(ledger.find, targets)):
        if each is not None:
            yield each
