"""Why a change that fails does not go back."""

from trading_operator.api.reasons import (
    NOTHING_TO_RETURN_TO,
    OUTSIDE_CHANGE,
    STAYS_AS_IT_IS,
    UNPINNED_IMAGE,
)
from trading_operator.api.rollout import OnFailure
from trading_operator.plan.images import image_findings
from trading_operator.plan.observed import StoredRevision
from trading_operator.plan.rollout.candidate import Candidate
from trading_operator.plan.rollout.stored_spec import is_same_spec
from trading_operator.plan.stored_revision import spec_of, unpack


def find_stay(kept: Candidate, baseline: StoredRevision | None) -> str:
    """Return why a change that failed does not go back, "" when it does."""
    if kept.system.spec.rollout.on_failure is OnFailure.STAY:
        return STAYS_AS_IT_IS
    if baseline is None:
        return NOTHING_TO_RETURN_TO
    if _changed_outside_alone(kept, baseline):
        return OUTSIDE_CHANGE
    return UNPINNED_IMAGE if _was_unpinned(kept, baseline) else ""


def _was_unpinned(kept: Candidate, baseline: StoredRevision) -> bool:
    """Tell whether an image to which the change would go back may be another one by now."""
    return any(
        rendering.revision != kept.drafts[name].revision
        and image_findings(rendering.template["spec"]["containers"][0]["image"], name)
        for name, rendering in unpack(baseline).items()
        if name in kept.drafts
    )


def _changed_outside_alone(kept: Candidate, baseline: StoredRevision) -> bool:
    """Tell whether Secrets and ConfigMaps of somebody else are all that changed.

    Going back would read the same ones: they are never undone.
    """
    if not is_same_but_for_outside(kept, baseline):
        return False
    before = unpack(baseline)
    return all(
        each["inputs"] != before[name].inputs or each["revision"] == before[name].revision
        for name, each in kept.renderings.data["components"].items()
    )


def is_same_but_for_outside(kept: Candidate, stored: StoredRevision) -> bool:
    """Tell whether a stored revision asks for the same, whatever Secrets said by then."""
    if not is_same_spec(kept.renderings.data["spec"], spec_of(stored)):
        return False
    before = unpack(stored)
    after = kept.renderings.data["components"]
    return all(
        name in before and each["asked"] == before[name].asked for name, each in after.items()
    )
