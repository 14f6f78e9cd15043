"""A revision that may be kept up, with the spec that it is of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from trading_operator.api.errors import InvalidSpecError
from trading_operator.plan.draft import Draft, System
from trading_operator.plan.drafts import plan_drafts
from trading_operator.plan.observed import Observed, RevisionState, StoredRevision
from trading_operator.plan.readiness import component_pods, is_ready, live_revision, may_run
from trading_operator.plan.rendering import Renderings, restore_renderings
from trading_operator.plan.rollout.ledger import Ledger, Outcome
from trading_operator.plan.rollout.stored_spec import restore_spec
from trading_operator.plan.stored_revision import spec_of


@dataclass(frozen=True)
class Candidate:
    """A revision that may be kept up, with the spec that it is of."""

    system: System
    renderings: Renderings
    state: RevisionState

    @property
    def digest(self) -> str:
        """Return the digest by which it is known."""
        return self.renderings.digest

    @property
    def drafts(self) -> Mapping[str, Draft]:
        """Return its components in start order."""
        return self.renderings.drafts

    @property
    def is_good(self) -> bool:
        """Tell whether it was proven."""
        return self.state.outcome == Outcome.GOOD

    def count_ready(self) -> int:
        """Return how many of its components serve at it."""
        return sum(is_ready(self.system.observed, each) for each in self.drafts.values())

    @property
    def is_up(self) -> bool:
        """Tell whether all of it serves."""
        return self.count_ready() == len(self.drafts)

    @property
    def is_rolled_out(self) -> bool:
        """Tell whether nothing but it runs, in good health or not."""
        return all(_runs_nothing_else(self.system.observed, each) for each in self.drafts.values())


def restore(system: System, ledger: Ledger, stored: StoredRevision) -> Candidate | None:
    """Return a stored revision as it can be kept up again, None when it cannot."""
    spec = restore_spec(spec_of(stored), system.spec)
    if spec is None:
        return None
    restored = replace(system, spec=spec)
    try:
        drafts = plan_drafts(restored)
    except InvalidSpecError:
        return None  # what another operator took, this one does not
    renderings = restore_renderings(stored, ledger.digest_of(stored), drafts)
    return Candidate(restored, renderings, stored.state)


def changed_components(drafts: Mapping[str, Draft], before: Mapping[str, str]) -> frozenset[str]:
    """Return the components whose revision is not that of before."""
    return frozenset(n for n, draft in drafts.items() if before.get(n) != draft.revision)


def _runs_nothing_else(observed: Observed, draft: Draft) -> bool:
    pods = filter(may_run, component_pods(observed, draft.name))
    return live_revision(observed, draft.ref) == draft.revision and all(
        pod.revision == draft.revision for pod in pods
    )
