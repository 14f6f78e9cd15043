"""The campaign itself: an operator with a planted bug passes undisturbed, and not with a fault."""

import shutil
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from cluster.api import ClusterHandle
from faults.campaign import open_lanes
from faults.conftest import BuildPlaces
from faults.play import Player
from faults.points import Kind, Point, Scenario, Stream

SOURCE = Path(__file__).parents[2] / "operator"
TRIES = 3
PATIENCE_SECONDS = 20.0
# A failure is noted after the way back has begun: who is killed between forgets it.
NOTES_LATE = """

_careful = apply_plan


async def apply_plan(kube, owner, plan, observed):
    import dataclasses

    applied = await _careful(kube, owner, dataclasses.replace(plan, verdicts=()), observed)
    attempt = Attempt(kube, owner, observed, dict(observed.children))
    await _write_all(attempt, (put(attempt, each) for each in plan.verdicts))
    return applied
"""
# A status whose write failed counts as written.
FORGETS_STATUS = """

_strict = write_status


async def write_status(transport, body, status):
    from trading_operator.kube.errors import ApiError

    try:
        return await _strict(transport, body, status)
    except ApiError:
        metadata = body["metadata"]
        newer = str(int(metadata["resourceVersion"]) + 1)
        return {**body, "metadata": {**metadata, "resourceVersion": newer}, "status": status}
"""
Find = Callable[[Sequence[str]], int]


def _find_verdict(writes: Sequence[str]) -> int:
    """Return the place of the write that says that the new revision has failed."""
    (made,) = (each for each in writes if each.startswith("POST controllerrevisions/"))
    noted = made.replace("POST", "PATCH")
    return writes.index(noted)


def _find_last_status(writes: Sequence[str]) -> int:
    return len(writes) - 1 - writes[::-1].index("PATCH tradingsystems/small/status")


@pytest.mark.parametrize(
    ("file", "bug", "scenario", "kind", "find", "found"),
    [
        (
            "kube/apply.py",
            NOTES_LATE,
            Scenario.ROLLBACK,
            Kind.KILL_BEFORE,
            _find_verdict,
            "patch statefulsets/small-db",
        ),
        (
            "kube/status.py",
            FORGETS_STATUS,
            Scenario.CREATE,
            Kind.SERVER_ERROR,
            _find_last_status,
            "does not say that it has ended",
        ),
    ],
)
async def test_a_planted_bug_is_found(
    control_plane: ClusterHandle,
    build_places: BuildPlaces,
    server_context: ssl.SSLContext,
    restart_server: Callable[[], Awaitable[None]],
    tmp_path: Path,
    file: str,
    bug: str,
    scenario: Scenario,
    kind: Kind,
    find: Find,
    found: str,
) -> None:
    source = tmp_path / "operator-with-a-bug"
    shutil.copytree(SOURCE, source)
    with (source / "trading_operator" / file).open("a") as module:
        module.write(bug)
    places = build_places(1)
    places[0].operators.source = source
    async with open_lanes(places, server_context, control_plane.kubeconfig, restart_server) as (
        lanes,
        invariants,
    ):
        player = Player(lanes[0], invariants, seed=1, patience=PATIENCE_SECONDS)
        # Which write is the one that matters may differ from play to play on a loaded machine.
        for _ in range(TRIES):
            undisturbed = await player.play_undisturbed(scenario)
            point = Point(scenario, Stream.WRITE, find(undisturbed.sequence), kind)
            verdict = await player.play(point, undisturbed)
            if verdict.failure is not None:
                break
    assert verdict.reached
    assert verdict.failure is not None, f"not found at {point}: {undisturbed.sequence}"
    assert any(found in each for each in verdict.failure.problems), verdict.failure.problems
