"""Writes a plan: the difference only, in parallel, then what has to go."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Any

from trading_operator.kube.access import Kube
from trading_operator.kube.attempt import Attempt
from trading_operator.kube.errors import ApiError
from trading_operator.kube.generated_secret import create_secret
from trading_operator.kube.read import key_of
from trading_operator.kube.recreate import leave_pods
from trading_operator.kube.remove import prune, replace_pod
from trading_operator.kube.resources import CLAIMS, CRON_JOBS, JOBS, PODS, REVISIONS
from trading_operator.kube.tell import tell_pods
from trading_operator.kube.write import put
from trading_operator.plan.observed import Observed, Ref, ref_of
from trading_operator.plan.types import WORKLOAD_KINDS, Applied, Manifest, Owner, Plan
from trading_operator.plan.volumes import data_claim_name

_POD_MAKERS = frozenset({*WORKLOAD_KINDS, CRON_JOBS.kind, JOBS.kind})
# No answer, or too many requests: not about one object, so the others are not tried either.
_SERVER_TROUBLE = frozenset({0, 429})


async def apply_plan(kube: Kube, owner: Owner, plan: Plan, observed: Observed) -> Applied:
    """Bring the cluster to the plan and return what is there then.

    What the API server refuses becomes a failure of the result; what may go well next time
    (conflicts, time-outs, overload) raises ApiError after every other object was written, and
    before anything is deleted.
    """
    attempt = Attempt(kube, owner, observed, dict(observed.children))
    made = (request.manifest for request in plan.generated_secrets)
    told = plan.trading_state.pods if plan.trading_state is not None else ()
    told = (*told, *(plan.models.pods if plan.models is not None else ()))
    pods = (Ref(PODS.kind, name) for name in dict.fromkeys(told))
    written = (*plan.verdicts, *plan.objects, *plan.recreate, *made)
    planned = (*map(ref_of, written), *plan.prune, *pods)
    kube.refusals.keep_only(key_of(owner), planned)
    kube.contests.keep_only(key_of(owner), planned)
    # A Secret goes with the claim that it opens. Pods need their configs, claims and Services
    # before their workload makes them.
    if not await _write_verdicts(attempt, plan):
        return Applied(plan, attempt.children, tuple(attempt.failures), attempt.writes)
    claims, first, last = _by_turn(plan.objects, observed)
    await _write_all(attempt, (put(attempt, manifest) for manifest in claims))
    await _write_all(
        attempt,
        (
            *(create_secret(attempt, request) for request in plan.generated_secrets),
            *(put(attempt, manifest) for manifest in first),
        ),
    )
    able = [each for each in last if _has_what_it_needs(attempt, each)]
    await _write_all(
        attempt,
        (
            # No order waits for a workload that cannot be written.
            *tell_pods(attempt, plan),
            *(put(attempt, manifest) for manifest in able),
        ),
    )
    _raise_error(attempt.errors)
    await _write_all(
        attempt,
        (
            *(prune(attempt, ref) for ref in plan.prune),
            *(leave_pods(attempt, manifest) for manifest in plan.recreate),
            *(replace_pod(attempt, name) for name in plan.replace_pods),
        ),
    )
    _raise_error(attempt.errors)
    return Applied(plan, attempt.children, tuple(attempt.failures), attempt.writes)


async def _write_verdicts(attempt: Attempt, plan: Plan) -> bool:
    """Write down what became of revisions; returns whether all of it is there.

    A change goes back only once it is known to have failed: it would be tried again else.
    """
    await _write_all(attempt, (put(attempt, manifest) for manifest in plan.verdicts))
    _raise_error(attempt.errors)
    written = map(ref_of, plan.verdicts)
    return {failure.ref for failure in attempt.failures}.isdisjoint(written)


async def apply_restraint(kube: Kube, owner: Owner, plan: Plan, observed: Observed) -> None:
    """Write the trading state alone, before all else of its system. Raises ApiError.

    What the API server refuses is remembered, and told by the pass that follows.
    """
    attempt = Attempt(kube, owner, observed, dict(observed.children))
    await _write_all(attempt, (put(attempt, manifest) for manifest in plan.objects))
    await _write_all(attempt, tell_pods(attempt, plan))
    _raise_error(attempt.errors)


def _by_turn(
    objects: Sequence[Manifest], observed: Observed
) -> tuple[list[Manifest], list[Manifest], list[Manifest]]:
    """Return claims, what pods need besides, and what nothing waits for: the workloads.

    A revision that is stored already has what they were rendered to: a way back is not held up by
    the number that says that it is in force again.
    """
    claims: list[Manifest] = []
    first: list[Manifest] = []
    last: list[Manifest] = []
    for each in objects:
        is_stored = each["kind"] == REVISIONS.kind and ref_of(each) in observed.children
        if each["kind"] == CLAIMS.kind:
            claims.append(each)
        elif each["kind"] in _POD_MAKERS or is_stored:
            last.append(each)
        else:
            first.append(each)
    return claims, first, last


async def _write_all(attempt: Attempt, writes: Iterable[Awaitable[None]]) -> None:
    # None goes on by itself when another fails: the next pass would meet it.
    done = await asyncio.gather(*writes, return_exceptions=True)
    for failure in filter(None, done):
        raise failure
    _raise_error([error for error in attempt.errors if error.status in _SERVER_TROUBLE])


def _raise_error(errors: Sequence[ApiError]) -> None:
    if errors:
        raise errors[0]


def _has_what_it_needs(attempt: Attempt, workload: Manifest) -> bool:
    """Tell whether nothing that the pods mount could not be made.

    A volume whose first start sees no Secret would be opened by a password that nobody has, and a
    StatefulSet takes whatever claim has the name of its own.
    """
    if workload["kind"] == JOBS.kind and attempt.unmade:
        return False  # it is made once and runs at once: not without its network policy
    names = (data_claim_name(workload["metadata"]["name"]), *_names(attempt, workload.get("spec")))
    return attempt.absent.isdisjoint(names)


def _names(attempt: Attempt, spec: Any) -> Iterator[str]:
    """Yield the texts of a workload's spec, the names of what its pods mount among them."""
    if not attempt.absent:
        return  # nothing to look for
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, dict | list):
        for each in spec.values() if isinstance(spec, dict) else spec:
            yield from _names(attempt, each)
