"""What must be read for a pass: also what the revisions name that may be kept up instead."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trading_operator.api.rollout import RolloutPhase
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import Owner
from trading_operator.plan.references import References, references
from trading_operator.plan.rollout.ledger import Ledger
from trading_operator.plan.rollout.stored_spec import restore_spec
from trading_operator.plan.stored_revision import unpack_data
from trading_operator.plan.types import StoredRevision


def needed_references(
    owner: Owner,
    spec: TradingSystemSpec,
    stored: Sequence[StoredRevision],
    status: Mapping[str, Any] | None,
) -> References:
    """Return every Secret and ConfigMap that a plan may look at; `stored` is newest first."""
    needed = references(owner, spec)
    if _is_settled(owner, status or {}):
        return needed  # what is kept up is what the spec asks for
    for revision in dict.fromkeys(_candidates(Ledger(owner, stored))):
        former = restore_spec(unpack_data(revision).get("spec") or {}, spec)
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
    for each in (ledger.last_good(), *map(ledger.find, _targets(ledger))):
        if each is not None:
            yield each


def _targets(ledger: Ledger) -> Iterator[str]:
    # A command may name any of them.
    asked = ledger.owner.commands.get("rollback-to", "")
    if asked:
        yield asked.removeprefix(f"{ledger.owner.name}-")
    yield from (each.state.return_to for each in ledger.stored if each.state.return_to)
