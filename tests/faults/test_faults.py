"""Whatever strikes at whichever write, a system ends as if nothing had happened.

SEED, POINTS (a list of numbers) and the time come from the environment; see docs/reliability.md.
"""

import os
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from cluster.api import ClusterHandle
from faults.campaign import Wanted, open_lanes, run_points
from faults.conftest import BuildPlaces
from faults.points import point_of

LANES = int(os.environ.get("FAULTS_LANES") or 5)
# With what comes before and after, and the tests of the test, about six minutes.
SAMPLE_SECONDS = 240.0
SAMPLE_ALONE = 1
ALL_SECONDS = 3 * 3600.0


def _wanted() -> Wanted:
    seed = int(os.environ.get("FAULTS_SEED") or datetime.now(UTC).date().toordinal())
    listed = os.environ.get("FAULTS_POINTS")
    if listed:
        return Wanted(seed, [point_of(int(each)) for each in listed.split(",")])
    if os.environ.get("FAULTS_ALL"):
        return Wanted(seed)
    seconds = float(os.environ.get("FAULTS_SECONDS") or SAMPLE_SECONDS)
    return Wanted(seed, seconds=seconds, alone=SAMPLE_ALONE)


def _tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return what prints each point as it ends, when somebody wants to see that."""

    def tell(text: str) -> None:
        if os.environ.get("FAULTS_TRACE"):
            with capsys.disabled():
                print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)  # noqa: T201

    return tell


@pytest.mark.timeout(ALL_SECONDS)
async def test_a_fault_at_any_write_changes_nothing_in_the_end(
    control_plane: ClusterHandle,
    build_places: BuildPlaces,
    server_context: ssl.SSLContext,
    restart_server: Callable[[], Awaitable[None]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = _wanted()
    with capsys.disabled():
        print(f"\nmake faults SEED={wanted.seed}", flush=True)  # noqa: T201
    places = build_places(min(LANES, len(wanted.points) or LANES))
    async with open_lanes(places, server_context, control_plane.kubeconfig, restart_server) as (
        lanes,
        invariants,
    ):
        results, seconds = await run_points(wanted, lanes, invariants, _tell(capsys))
    with capsys.disabled():
        print(results.summary(seconds), flush=True)  # noqa: T201
    if results.failures:
        told = results.describe(results.failures)
        pytest.fail(f"{len(results.failures)} of {results.total} points\n\n{told}", pytrace=False)
    if wanted.points:
        assert not results.not_reached, f"not reached: {results.not_reached}"
