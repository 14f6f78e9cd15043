"""One run: lanes side by side, the undisturbed scenarios, and the points spread over them."""

import asyncio
import ssl
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults.end_state import compare_states
from faults.invariants import Invariants
from faults.lane import Lane, LaneError, Place
from faults.play import PATIENCE_SECONDS, Ending, Player
from faults.points import (
    ALONE,
    LEASE_WRITES,
    Point,
    Scenario,
    Stream,
    all_points,
    has_room,
    in_turn,
)
from faults.results import Failure, Results
from faults.write_counts import Counts, Written
from mutation.server import Server

UNDISTURBED = 2  # plays of each scenario without a fault: they must end alike
ALONE_SECONDS = 40.0  # of one point that no other may run beside
Tell = Callable[[str], None]
Restart = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Wanted:
    """Which points are to be tried: some by number, or as many of all as the time allows."""

    seed: int
    points: Sequence[Point] = ()
    seconds: float = float("inf")
    alone: int = 1000  # points at most that no other may run beside
    patience: float = PATIENCE_SECONDS


@dataclass
class Campaign:
    """Players in lanes, and what they find."""

    wanted: Wanted
    players: list[Player]
    results: Results
    started: float = field(default_factory=time.monotonic)
    endings: dict[Scenario, Ending] = field(default_factory=dict)

    async def run(self) -> None:
        """Play everything that is wanted."""
        await self._play_undisturbed()
        points = self.wanted.points or in_turn(all_points(self.results.writes), self.wanted.seed)
        together = deque(point for point in points if point.kind not in ALONE)
        alone = [point for point in points if point.kind in ALONE]
        few, spared = deque(alone[: self.wanted.alone]), len(alone[self.wanted.alone :])
        until = self.wanted.seconds - ALONE_SECONDS * min(len(few), 2)
        async with asyncio.TaskGroup() as group:
            for player in self.players:
                group.create_task(self._work(player, together, until))
        await self._work(self.players[0], few, self.wanted.seconds)
        self.results.left = len(together) + len(few) + spared

    async def _play_undisturbed(self) -> None:
        scenarios = dict.fromkeys(point.scenario for point in self.wanted.points)
        waiting = deque((*(scenarios or Scenario),) * UNDISTURBED)
        found: dict[Scenario, list[Ending]] = defaultdict(list)

        async def work(player: Player) -> None:
            while waiting:
                scenario = waiting.popleft()
                found[scenario].append(await player.play_undisturbed(scenario))
                self.results.tell(f"{scenario} ended undisturbed")

        async with asyncio.TaskGroup() as group:
            for player in self.players:
                group.create_task(work(player))
        for scenario, endings in found.items():
            self.endings[scenario] = _merge(scenario, endings)
            self.results.writes[scenario] = self.endings[scenario].counts

    async def _work(self, player: Player, points: deque[Point], until: float) -> None:
        while points and time.monotonic() - self.started < until:
            point = points.popleft()
            try:
                await self._try(player, point)
            except LaneError as error:
                trouble = (str(error), *player.lane.read_trouble())
                self.results.fails(Failure(point, trouble))
                if not await _recovers(player):
                    return  # the other lanes go on

    async def _try(self, player: Player, point: Point) -> None:
        verdict = await player.play(point, self.endings[point.scenario])
        if verdict.failure is not None:
            self.results.fails(verdict.failure)
        elif verdict.reached:
            self.results.passes(point, verdict.seconds)
        else:
            self.results.not_reached.append(point)


async def _recovers(player: Player) -> bool:
    """Bring a lane back in which something stands still."""
    player.lane.start_afresh()
    try:
        await player.clean()
    except LaneError:
        return False
    return True


def _merge(scenario: Scenario, endings: Sequence[Ending]) -> Ending:
    """Return what all undisturbed plays agree in, with the most writes of any of them."""
    first, *others = endings
    for other in others:
        wrong = compare_states(first.state, other.state)
        assert not wrong, f"{scenario} ends differently without any fault: {wrong}"
    counts, done = Counter[Stream](), Counts()
    for each in endings:
        counts |= each.counts
        done |= each.written.done
    counts[Stream.LEASE] = LEASE_WRITES
    for stream, count in counts.items():
        assert has_room(stream, count), f"{scenario}: {count} {stream}s are more than have numbers"
    written = Written(done, max(each.written.refused for each in endings))
    return Ending(first.state, written, counts, first.sequence)


@asynccontextmanager
async def open_lanes(
    places: Iterable[Place], context: ssl.SSLContext, kubeconfig: Path, restart: Restart
) -> AsyncIterator[tuple[list[Lane], Invariants]]:
    """Open a lane at each place, and watch over all of them."""
    server = Server(kubeconfig)
    invariants = Invariants(server)
    watching = asyncio.create_task(invariants.run())
    lanes = [Lane(place, server, context, restart) for place in places]
    try:
        for lane in lanes:
            await lane.open()
        yield lanes, invariants
    finally:
        for lane in lanes:
            await lane.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await server.close()


async def run_points(
    wanted: Wanted, lanes: Sequence[Lane], invariants: Invariants, tell: Tell
) -> tuple[Results, float]:
    """Run what is wanted, and return the results and how long it took."""
    players = [Player(lane, invariants, wanted.seed, wanted.patience) for lane in lanes]
    campaign = Campaign(wanted, players, Results(wanted.seed, tell=tell))
    await campaign.run()
    return campaign.results, time.monotonic() - campaign.started
