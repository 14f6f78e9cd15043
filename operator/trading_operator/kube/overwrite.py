"""Overwrites what contradicts the plan: an apply leaves other writers' fields where they are."""

from trading_operator.kube.attempt import Attempt
from trading_operator.kube.cache import Entry
from trading_operator.kube.patches import guard, patch_object
from trading_operator.kube.transport import FIELD_MANAGER, JSON_PATCH
from trading_operator.plan.observed import ref_of
from trading_operator.plan.types import Manifest

_MANAGER = {"fieldManager": FIELD_MANAGER}


async def overwrite_spec(attempt: Attempt, manifest: Manifest, entry: Entry) -> Entry:
    """Replace the whole spec of a live object, and return it ready for an apply.

    Somebody added a field beside which ours is invalid: another source of a volume, the other
    bound of a disruption budget. What the server fills in by itself it fills in again.
    """
    ref = ref_of(manifest)
    replaced = await patch_object(
        attempt,
        ref,
        JSON_PATCH,
        [guard(entry.version), {"op": "replace", "path": "/spec", "value": manifest["spec"]}],
        _MANAGER,
    )
    if replaced.update_entry is None:
        return replaced
    # Only what is applied goes when it leaves the plan: this change must not own it as well.
    path = f"/metadata/managedFields/{replaced.update_entry}"
    forget = [guard(replaced.version), {"op": "remove", "path": path}]
    return await patch_object(attempt, ref, JSON_PATCH, forget, _MANAGER)
