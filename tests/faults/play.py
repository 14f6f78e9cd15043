"""Plays scenarios in a lane, undisturbed or with a fault, and judges how they end."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from faults.end_state import State, compare_states, read_identities, read_state
from faults.invariants import Invariants
from faults.lane import Lane, LaneError
from faults.points import Kind, Point, Scenario, Stream
from faults.results import Failure
from faults.scenarios import CHANGES, NAME, build_spec, has_ended
from faults.write_counts import Written, compare_counts, read_written
from mutation.server import SYSTEMS, Object, path_of
from mutation.verdict import describe

PATIENCE_SECONDS = 60.0
# Longer than a status is held back.
QUIET_SECONDS = 1.3
AGAIN_SECONDS = 0.5
_CLEANUP_SECONDS = 90.0
_PAUSE = 0.1
_LASTING = (("api/v1", "persistentvolumeclaims"), ("api/v1", "secrets"))


@dataclass(frozen=True)
class Ending:
    """How a scenario ended."""

    state: State
    written: Written
    counts: Counter[Stream]
    sequence: tuple[str, ...]  # of writes


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a point."""

    reached: bool
    seconds: float
    failure: Failure | None


@dataclass
class Player:
    """Plays in one lane."""

    lane: Lane
    invariants: Invariants
    seed: int
    patience: float = PATIENCE_SECONDS
    _mark: int = 0
    _began: float = 0.0
    _identities: dict[str, str] = field(default_factory=dict)

    async def play_undisturbed(self, scenario: Scenario) -> Ending:
        """Play a scenario without a fault. Raises LaneError."""
        await self._prepare(scenario)
        await self._begin(scenario, None)
        await self._until(lambda: self._rests(scenario), f"{scenario} does not end")
        ending = await self._read_still(scenario)
        trouble = self.lane.read_trouble()
        if trouble:
            raise LaneError(f"undisturbed {scenario}: {trouble}")
        await self.clean()
        return ending

    async def play(self, point: Point, expected: Ending) -> Verdict:
        """Play a scenario with a fault, and judge it by the undisturbed one. Raises LaneError."""
        await self._prepare(point.scenario)
        if point.kind is Kind.LEADER_PAUSED:
            await self.lane.start_standby()
        await self._begin(point.scenario, point)
        problems = await self._until_as(point, expected)
        ended = time.monotonic() - QUIET_SECONDS
        await self.lane.until_whole(self.patience)
        problems += await self._judge(point, expected)
        strike = self.lane.injector.strike
        verdict = Verdict(
            strike is not None,
            max(0.0, ended - (self._began if strike is None else strike.at)),
            self._fail(point, problems) if problems else None,
        )
        await self.clean()
        return verdict

    async def clean(self) -> None:
        """Delete the system and all that it leaves. Raises LaneError."""
        self.lane.injector.arm(None, self.seed)
        self.invariants.unguard(self.lane.name)
        server, name = self.lane.server, self.lane.name
        await server.delete(path_of(*SYSTEMS, name, NAME))
        await self._until(self._is_gone, "the system is not deleted", _CLEANUP_SECONDS)
        for root, plural in _LASTING:
            for item in await self._list(root, plural):
                self.invariants.spare(item["metadata"]["uid"])
                await server.delete(path_of(root, plural, name, item["metadata"]["name"]))
        await self._until_empty()

    async def _list(self, root: str, plural: str) -> list[Object]:
        """Return all objects of a kind, also those on their way out."""
        answer = await self.lane.server.send("GET", path_of(root, plural, self.lane.name))
        items: list[Object] = answer.body["items"]
        return items

    async def _prepare(self, scenario: Scenario) -> None:
        """Bring the lane to where a scenario begins."""
        self.lane.injector.arm(None, self.seed)
        self._identities = {}
        if scenario is Scenario.CREATE:
            return
        await self._create()
        await self._until(lambda: self._rests(Scenario.CREATE), "the system does not come up")
        self._identities = await read_identities(
            self.lane.server, self.lane.place.kinds, self.lane.name
        )

    async def _begin(self, scenario: Scenario, point: Point | None) -> None:
        self.invariants.guard(self.lane.name)
        self.lane.writes.read()
        self._mark = len(self.lane.writes.known[self._key])
        self.lane.injector.arm(point, self.seed)
        self.lane.gate.begin()
        self._began = time.monotonic()
        server, name = self.lane.server, self.lane.name
        if scenario is Scenario.CREATE:
            await self._create()
        elif scenario is Scenario.DELETE:
            await server.delete(path_of(*SYSTEMS, name, NAME))
        else:
            answer = await server.set_spec(name, NAME, CHANGES[scenario]())
            if answer.refused:
                raise LaneError(f"the change is refused: {answer.body}")
            self.invariants.note(answer.body)

    async def _create(self) -> None:
        answer = await self.lane.server.create(self.lane.name, NAME, build_spec())
        if answer.refused:
            raise LaneError(f"the system is refused: {answer.body}")
        self.invariants.note(answer.body)

    async def _until_as(self, point: Point, expected: Ending) -> list[str]:
        """Wait until a scenario has ended as undisturbed; returns what is wrong in the end."""
        problems = ["it does not say that it has ended"]
        while time.monotonic() < self._deadline():
            if self._rests(point.scenario):
                found = await self._read_ending()
                problems = compare_states(expected.state, found.state)
                if not problems:
                    return []
                await asyncio.sleep(AGAIN_SECONDS)
            await asyncio.sleep(_PAUSE)
        return problems

    def _deadline(self) -> float:
        """Return until when it must have ended: the time counts from the fault."""
        strike = self.lane.injector.strike
        since = self._began if strike is None else strike.at
        return since + self.patience + self.lane.injector.extra_seconds()

    async def _judge(self, point: Point, expected: Ending) -> list[str]:
        problems = list(self.invariants.problems(self.lane.name))
        strike = self.lane.injector.strike
        struck = "" if strike is None else strike.what.partition(" ")[2]
        found = await self._read_ending()
        problems += compare_counts(expected.written, found.written, struck)
        if point.scenario in CHANGES:
            problems += await self._made_anew()
        return problems + self.lane.read_trouble()

    async def _made_anew(self) -> list[str]:
        now = await read_identities(self.lane.server, self.lane.place.kinds, self.lane.name)
        return [
            f"{name} was made anew"
            for name, uid in self._identities.items()
            if now.get(name, uid) != uid
        ]

    async def _read_still(self, scenario: Scenario) -> Ending:
        """Return the ending when nothing moves any more: what is deleted goes by and by."""
        before = await self._read_ending()
        while True:
            await asyncio.sleep(2 * AGAIN_SECONDS)
            ending = await self._read_ending()
            if ending.state == before.state and _is_over(scenario, ending.state):
                return ending
            before = ending

    async def _read_ending(self) -> Ending:
        state = await read_state(self.lane.server, self.lane.place.kinds, self.lane.name)
        self.lane.writes.read()
        lines = self.lane.writes.known[self._key][self._mark :]
        gate = self.lane.gate
        return Ending(state, read_written(lines), Counter(gate.counts), tuple(gate.sequence))

    def _fail(self, point: Point, problems: list[str]) -> Failure:
        strike = self.lane.injector.strike
        system = self.invariants.system(self.lane.name)
        return Failure(
            point,
            tuple(problems),
            "" if strike is None else strike.what,
            describe(dict(system) if system is not None else None),
            tuple(self.lane.writes.known[self._key][self._mark :]),
        )

    @property
    def _key(self) -> str:
        return f"{self.lane.name}/{NAME}"

    def _rests(self, scenario: Scenario) -> bool:
        if self.lane.gate.quiet_for() < QUIET_SECONDS:
            return False
        return has_ended(scenario, self.invariants.system(self.lane.name))

    def _is_gone(self) -> bool:
        return self.invariants.system(self.lane.name) is None

    async def _until(
        self, holds: Callable[[], bool], problem: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                system = self.invariants.system(self.lane.name)
                status = describe(dict(system) if system is not None else None)
                raise LaneError(f"{self.lane.name}: {problem} within {seconds:.0f} s: {status}")
            await asyncio.sleep(_PAUSE)

    async def _until_empty(self) -> None:
        end = time.monotonic() + _CLEANUP_SECONDS
        while True:
            state = await read_state(self.lane.server, self.lane.place.kinds, self.lane.name)
            # The state leaves out what is on its way out, and a claim stays there for a while.
            left = [each for kind in _LASTING for each in await self._list(*kind)]
            if not state["children"] and not state["pods"] and not left:
                return
            if time.monotonic() > end:
                raise LaneError(f"{self.lane.name}: left over: {sorted(state['children'])}")
            await asyncio.sleep(AGAIN_SECONDS)


def _is_over(scenario: Scenario, state: State) -> bool:
    """Tell whether nothing is left of a deleted system but its data and what opens it."""
    if scenario is not Scenario.DELETE:
        return True
    lasting = tuple(plural for _, plural in _LASTING)
    return not state["pods"] and all(child.startswith(lasting) for child in state["children"])
