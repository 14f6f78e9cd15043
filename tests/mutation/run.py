"""One run: the namespaces, the systems in them, and the cases spread over them."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mutation.bases import COPIES, build_bases
from mutation.campaign import END_SECONDS, Campaign, CaseError, Place
from mutation.cases import Case
from mutation.operator_log import OperatorLog
from mutation.operator_under_test import OperatorUnderTest
from mutation.results import Results
from mutation.server import Server, Writes

STILL_SECONDS = 6.0
# A Lease that a busy API server renews too late is no mishap of the operator: it stands again.
LEASE_LOST = "no longer leading"
Queues = dict[str, deque[Case]]


@dataclass(frozen=True)
class Run:
    """The results of a run, and what was seen at its end."""

    results: Results
    seconds: float
    late_writes: tuple[str, ...]  # of the operator, when everything had settled
    nobodys_errors: tuple[str, ...]  # errors in its log that are no system's


async def run_cases(
    operator: OperatorUnderTest,
    seed: int,
    cases: Sequence[Case],
    copies: Mapping[str, int] = COPIES,
    patience: float = END_SECONDS,
    still: float = STILL_SECONDS,
) -> Run:
    """Run cases against an operator that leads.

    `patience` is in seconds, for each wait; for `still` seconds nothing may be written at the end.
    """
    started = time.monotonic()
    server = Server(operator.admin_kubeconfig)
    campaign = Campaign(
        server,
        operator.namespaces,
        operator.kinds,
        Writes(operator.audit_log, operator.user, frozenset(operator.namespaces)),
        OperatorLog(operator.log),
        Results(seed, build_bases()),
        patience,
    )
    try:
        async with asyncio.TaskGroup() as group:
            followers = [group.create_task(campaign.follow(name)) for name in campaign.namespaces]
            followers.append(group.create_task(campaign.read_logs()))
            try:
                await _work(campaign, cases, _build_places(campaign, cases, copies))
                late = await _late_writes(campaign, still)
            finally:
                for follower in followers:
                    follower.cancel()
    finally:
        await server.close()
    campaign.log.read()
    seconds = time.monotonic() - started
    errors = tuple(each for each in campaign.log.errors[""] if each.strip() != LEASE_LOST)
    return Run(campaign.results, seconds, late, errors)


def _build_places(
    campaign: Campaign, cases: Iterable[Case], copies: Mapping[str, int]
) -> list[Place]:
    wanted = {each.base for case in cases for each in (case, *case.others)}
    names = campaign.namespaces
    places: list[Place] = []
    for base in sorted(wanted):
        # No more than one of a base in a namespace has the base's own name.
        for at in range(copies[base]):
            name = base if at < len(names) else f"{base}{at // len(names)}"
            places.append(Place(names[at % len(names)], base, name))
    return places


async def _work(campaign: Campaign, cases: Iterable[Case], places: list[Place]) -> None:
    await asyncio.gather(*(campaign.settle(place) for place in places))
    accepted = await campaign.check_refusals(cases, places)
    queues: Queues = defaultdict(deque)
    for case in accepted:
        queues["new" if case.is_new else case.base].append(case)
    async with asyncio.TaskGroup() as group:
        for place in places:
            group.create_task(_work_at(campaign, queues[place.base], place))
        for namespace in campaign.namespaces:
            group.create_task(_work_anew(campaign, queues["new"], namespace))


async def _work_at(campaign: Campaign, queue: deque[Case], place: Place) -> None:
    while queue:
        if not await campaign.run(queue.popleft(), place):
            await campaign.clear(place)
            if queue and not await _settles(campaign, place):
                return


async def _settles(campaign: Campaign, place: Place) -> bool:
    try:
        await campaign.settle(place)
    except CaseError:
        return False  # the failure that came before is told; the other places take its cases
    return True


async def _work_anew(campaign: Campaign, queue: deque[Case], namespace: str) -> None:
    while queue:
        case = queue.popleft()
        place = Place(namespace, case.base, f"new{case.index}")
        if not await campaign.run(case, place):
            await campaign.clear(place)


async def _late_writes(campaign: Campaign, still: float) -> tuple[str, ...]:
    """Return what the operator writes when everything has settled."""
    await asyncio.sleep(still)
    campaign.writes.read()
    before = {system: len(lines) for system, lines in campaign.writes.known.items()}
    await asyncio.sleep(still)
    campaign.writes.read()
    return tuple(
        line
        for system, lines in campaign.writes.known.items()
        for line in lines[before.get(system, 0) :]
    )
