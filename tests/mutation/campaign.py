"""Runs the cases: many systems at once, each mutated, judged, and brought back."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from mutation.bases import localise
from mutation.cases import Case
from mutation.changes import Spec, differences
from mutation.children import (
    Children,
    Kind,
    compare,
    leftovers,
    read_children,
    simplify,
)
from mutation.operator_log import OperatorLog
from mutation.results import Failure, Results
from mutation.server import SYSTEMS, Answer, Object, Server, Writes, path_of
from mutation.verdict import describe, judge, names_a_field

END_SECONDS = 90.0  # until a system says how its change ended, and is back after the undoing
BASE_SECONDS = 300.0  # until all systems are up, which begin at once
QUIET_SECONDS = 2.0
LOUD_SECONDS = 30.0  # within which it must have been quiet once
CHECKED_AT_ONCE = 8
PAUSE = 0.1


class CaseError(Exception):
    """A case did not end as it must."""


@dataclass
class Place:
    """One system that is mutated again and again."""

    namespace: str
    base: str
    name: str
    before: Children = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)
    went_through: list[int] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Return namespace/name."""
        return f"{self.namespace}/{self.name}"


@dataclass
class Campaign:
    """All that a run needs."""

    server: Server
    namespaces: tuple[str, ...]
    kinds: tuple[Kind, ...]
    writes: Writes
    log: OperatorLog
    results: Results
    patience: float = END_SECONDS
    systems: dict[str, Object] = field(default_factory=dict)

    async def follow(self, namespace: str) -> None:
        """Keep the systems of a namespace as they are now, for ever."""
        path = path_of(*SYSTEMS, namespace)
        while True:
            answer = await self.server.send("GET", path)
            version = answer.body["metadata"]["resourceVersion"]
            for item in answer.body["items"]:
                self._keep(item)
            with suppress(aiohttp.ClientError, TimeoutError):
                async for event in self.server.watch(path, version):
                    self._take(event["type"], event["object"])

    def _take(self, kind: str, item: Object) -> None:
        if kind in ("ADDED", "MODIFIED"):
            self._keep(item)
        elif kind == "DELETED":
            self.systems.pop(_key(item), None)

    def _keep(self, item: Object) -> None:
        """Keep a system unless a newer one is known: an answer may come after its own event."""
        known = self.systems.get(_key(item))
        if known is None or _version(known) < _version(item):
            self.systems[_key(item)] = item

    async def read_logs(self) -> None:
        """Keep what the operator wrote and logged as it is now, for ever."""
        while True:
            self.writes.read()
            self.log.read()
            await asyncio.sleep(PAUSE * 3)

    async def check_refusals(self, cases: Iterable[Case], places: list[Place]) -> list[Case]:
        """Let the API server judge all cases without a change; returns those that it accepts."""
        accepted: list[Case] = []
        waiting = iter(cases)
        by_base = {place.base: place for place in places}

        async def work() -> None:
            for case in waiting:
                if (taken := await self._first_accepted(case, by_base)) is not None:
                    accepted.append(taken)

        async with asyncio.TaskGroup() as group:
            for _ in range(CHECKED_AT_ONCE):
                group.create_task(work())
        return sorted(accepted, key=lambda case: case.index)

    async def _first_accepted(self, case: Case, by_base: Mapping[str, Place]) -> Case | None:
        for attempt in (case, *case.others):
            place = by_base[attempt.base]
            answer = await self._ask(attempt, place)
            if not answer.refused:
                if case.kind == "invalid":
                    self._fail(case, place, "accepted what the schema forbids")
                return attempt
            self._check_refusal(attempt, place, answer)
        self.results.end(case, "Refused")
        return None

    async def _ask(self, case: Case, place: Place) -> Answer:
        if case.is_new:
            name = f"new{case.index}"
            return await self.server.create(place.namespace, name, case.spec, dry=True)
        spec = localise(case.spec, place.name)
        return await self.server.set_spec(place.namespace, place.name, spec, dry=True)

    def _check_refusal(self, case: Case, place: Place, answer: Answer) -> None:
        before = {} if case.is_new else self.results.bases[case.base]
        changed = list(differences(before, case.spec))
        if answer.code not in (400, 422) or not names_a_field(answer.body, changed):
            message = answer.body.get("message", "")[:600]
            self._fail(case, place, f"refused ({answer.code}) without naming the field: {message}")

    async def settle(self, place: Place) -> None:
        """Create a place's system, wait until it is up, and note what it consists of."""
        spec = localise(self.results.bases[place.base], place.name)
        answer = await self.server.create(place.namespace, place.name, spec)
        if answer.refused:
            raise CaseError(f"the base {place.base} is refused: {answer.body['message']}")
        try:
            await self.until(
                place, lambda: self._ending(place) == "Ready", "not Ready", BASE_SECONDS
            )
        except CaseError as error:
            status = describe(self.systems.get(place.key))
            raise CaseError(f"{place.key}: {error}: {status}") from None
        await self.until_quiet(place)
        place.before, _ = await self._children(place)
        place.revisions = self._revisions(place)

    async def run(self, case: Case, place: Place) -> bool:
        """Run a case at a place; returns whether the place is as it was."""
        log_from = self.log.mark(place.key)
        try:
            if case.is_new:
                ending, seconds = await self._run_new(case, place)
            else:
                ending, seconds = await self._run_change(case, place)
            errors = self.log.since(place.key, log_from)
            if errors:
                raise CaseError("the operator logged an error")
        except CaseError as error:
            self.results.end(case, "failed")
            self._fail(case, place, str(error), self.log.since(place.key, log_from))
            return False
        place.went_through.append(case.index)
        self.results.end(case, ending, seconds)
        return True

    async def _run_change(self, case: Case, place: Place) -> tuple[str, float]:
        started = time.monotonic()
        await self._set(place, case.spec)
        await self.until(place, lambda: self._ending(place) != "", "nobody says how it ended")
        seconds = time.monotonic() - started
        await self.until_quiet(place)
        await self.until(place, lambda: self._ending(place) != "", "it says no longer how it ended")
        ending = self._ending(place)
        await self._set(place, self.results.bases[place.base])
        await self._until_restored(case, place)
        return ending, seconds

    async def _run_new(self, case: Case, place: Place) -> tuple[str, float]:
        started = time.monotonic()
        answer = await self.server.create(place.namespace, place.name, case.spec)
        if answer.refused:
            raise CaseError(f"refused after it was accepted: {answer.body['message']}")
        await self.until(place, lambda: self._ending(place) != "", "nobody says how it ended")
        seconds = time.monotonic() - started
        await self.until_quiet(place)
        await self.until(place, lambda: self._ending(place) != "", "it says no longer how it ended")
        ending = self._ending(place)
        await self.server.delete(path_of(*SYSTEMS, place.namespace, place.name))
        await self.until(place, lambda: place.key not in self.systems, "it is not deleted")
        await self._until_gone(place)
        return ending, seconds

    async def _until_gone(self, place: Place) -> None:
        end = time.monotonic() + self.patience
        while True:
            after, _ = await self._children(place)
            rest = leftovers({}, after)
            if not rest:
                break
            if time.monotonic() > end:
                raise CaseError(f"left over after the deletion: {rest}")
            await asyncio.sleep(1.0)
        place.before = {}
        await self._remove_leftovers(place, after)

    async def _set(self, place: Place, spec: Spec) -> None:
        here = localise(spec, place.name)
        answer = await self.server.set_spec(place.namespace, place.name, here)
        if answer.refused:
            raise CaseError(f"refused after it was accepted: {answer.body['message'][:600]}")
        self._keep(answer.body)

    async def _until_restored(self, case: Case, place: Place) -> None:
        """Wait until the undone mutation has left nothing behind but data and history."""
        if _grows_a_volume(self.results.bases[case.base], case.spec):
            return await self._until_shrink_is_refused(place)
        await self.until(
            place, lambda: self._ending(place) == "Ready", "not Ready again after the undoing"
        )
        await self.until_quiet(place)
        end = time.monotonic() + self.patience
        while True:
            after, kept = await self._children(place)
            wrong = compare(place.before, after, kept)
            if self._revisions(place) != place.revisions:
                wrong.append(f"revisions {self._revisions(place)}, before {place.revisions}")
            if not wrong:
                return await self._remove_leftovers(place, after)
            if time.monotonic() > end:
                told = "; ".join(wrong[:8])
                raise CaseError(f"the undoing did not bring back what was: {told}")
            await asyncio.sleep(0.5)

    async def _until_shrink_is_refused(self, place: Place) -> None:
        """Wait until it is said that a volume which grew stays as large, and begin anew."""

        def is_told() -> bool:
            message = str(self.systems.get(place.key, {}).get("status", {}))
            back = self._ending(place) == "Ready" and "VolumeShrinks" not in message
            return back or (self._ending(place) == "Stalled" and "VolumeShrinks" in message)

        await self.until(place, is_told, "neither back nor VolumeShrinks after the undoing")
        await self.until_quiet(place)
        await self.clear(place)
        await self.settle(place)

    async def clear(self, place: Place) -> None:
        """Delete a place's system with its data; the place goes on under the next name."""
        await self.server.delete(path_of(*SYSTEMS, place.namespace, place.name))
        with suppress(CaseError):
            await self.until(place, lambda: place.key not in self.systems, "not deleted")
        place.name = f"{place.name}x"
        place.went_through.clear()

    async def _remove_leftovers(self, place: Place, after: Children) -> None:
        """Delete the volumes and passwords that a case left, as they should be left."""
        roots = {plural: root for root, plural in self.kinds}
        for plural, name in after.keys() - place.before.keys():
            if plural in ("persistentvolumeclaims", "secrets"):
                await self.server.delete(path_of(roots[plural], plural, place.namespace, name))

    async def _children(self, place: Place) -> tuple[Children, str]:
        objects = await read_children(self.server, self.kinds, place.namespace, place.name)
        kept = str([item for child, item in objects.items() if child[0] == "controllerrevisions"])
        return simplify(objects), kept

    def _ending(self, place: Place) -> str:
        system = self.systems.get(place.key)
        return "" if system is None else judge(system)

    def _revisions(self, place: Place) -> dict[str, str]:
        status = self.systems.get(place.key, {}).get("status", {})
        lines = {line["name"]: line["revision"] for line in status.get("components") or ()}
        return {**lines, "": status.get("revision", "")}

    async def until(
        self, place: Place, holds: Callable[[], bool], problem: str, seconds: float | None = None
    ) -> None:
        """Wait until something holds. Raises CaseError."""
        seconds = self.patience if seconds is None else seconds
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise CaseError(f"{problem} within {seconds:.0f} s")
            await asyncio.sleep(PAUSE)

    async def until_quiet(self, place: Place) -> None:
        """Wait until the operator has written nothing of a system for a while."""
        started = time.monotonic()

        def is_quiet() -> bool:
            # What was written before this was asked says nothing.
            waited = time.monotonic() - started
            return min(waited, self.writes.quiet_for(place.key)) > QUIET_SECONDS

        try:
            await self.until(
                place,
                is_quiet,
                "the operator does not stop writing",
                min(LOUD_SECONDS, self.patience),
            )
        except CaseError as error:
            last = self.writes.known[place.key][-6:]
            raise CaseError(f"{error}; its last writes: {last}") from None

    def _fail(self, case: Case, place: Place, problem: str, log: tuple[str, ...] = ()) -> None:
        status = describe(self.systems.get(place.key))
        earlier = tuple(place.went_through)
        failure = Failure(case, problem, place.key, status, log, earlier)
        self.results.failures.append(failure)


def _key(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def _version(item: Object) -> int:
    return int(item["metadata"]["resourceVersion"])


def _grows_a_volume(before: Any, after: Any) -> bool:
    """Tell whether a size changed: it may be that a volume cannot go back."""
    return any(".size:" in each for each in differences(before, after))
