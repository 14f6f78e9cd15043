"""What must hold at every moment, whatever strikes: watched beside the operator."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp

from faults.end_state import COMPONENT
from faults.scenarios import NAME, SINGLE, System
from mutation.server import SYSTEMS, Object, Server

PODS, CLAIMS = ("api/v1", "pods"), ("api/v1", "persistentvolumeclaims")
_AGAIN_SECONDS = 0.2
Take = Callable[[str, Object], None]


class Invariants:
    """Follows systems, pods and claims of some namespaces, and keeps what was wrong."""

    def __init__(self, server: Server | None) -> None:
        self._server = server
        self._running: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self._guarded: set[str] = set()
        self._spared: set[str] = set()  # uids of claims that the test itself deleted
        self._systems: dict[str, System] = {}
        self._problems: dict[str, list[str]] = defaultdict(list)

    async def run(self) -> None:
        """Follow everything for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(SYSTEMS, self.take_system))
            group.create_task(self._follow(PODS, self.take_pod))
            group.create_task(self._follow(CLAIMS, self.take_claim))

    def system(self, namespace: str) -> System | None:
        """Return the system of a namespace as it is now, None when there is none."""
        return self._systems.get(namespace)

    def note(self, item: System) -> None:
        """Keep a system unless a newer one is known: an answer may come before its own event."""
        namespace = item["metadata"]["namespace"]
        known = self._systems.get(namespace)
        if known is None or _version(known) < _version(item):
            self._systems[namespace] = item

    def guard(self, namespace: str) -> None:
        """From now on no claim of a namespace may go; what was wrong before is forgotten."""
        self._guarded.add(namespace)
        self._problems[namespace].clear()

    def unguard(self, namespace: str) -> None:
        """Allow that claims of a namespace go."""
        self._guarded.discard(namespace)

    def spare(self, uid: str) -> None:
        """Note a claim that the test itself deletes: the watch may tell of it late."""
        self._spared.add(uid)

    def problems(self, namespace: str) -> list[str]:
        """Return what was wrong in a namespace since it is guarded."""
        return list(dict.fromkeys(self._problems[namespace]))

    async def _follow(self, kind: tuple[str, str], take: Take) -> None:
        assert self._server is not None
        path, known = "/".join(kind), dict[str, Object]()
        while True:
            with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                answer = await self._server.send("GET", path)
                if not answer.refused:
                    _take_list(answer.body["items"], known, take)
                    await self._watch(path, answer.body, known, take)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _watch(self, path: str, listed: Object, known: dict[str, Object], take: Take) -> None:
        assert self._server is not None
        async for event in self._server.watch(path, listed["metadata"]["resourceVersion"]):
            kind = event.get("type")
            if kind in ("ADDED", "MODIFIED", "DELETED"):
                _take_event(kind, event["object"], known, take)
            elif kind != "BOOKMARK":
                return

    def take_system(self, kind: str, item: Object) -> None:
        """Keep a system as it is now."""
        if item["metadata"]["name"] != NAME:
            return
        if kind != "DELETED":
            self.note(item)
            return
        known = self._systems.get(item["metadata"]["namespace"])
        if known is not None and known["metadata"]["uid"] == item["metadata"]["uid"]:
            del self._systems[item["metadata"]["namespace"]]

    def take_pod(self, kind: str, pod: Object) -> None:
        """Count the pods of a component that run at this moment."""
        metadata = pod["metadata"]
        component = metadata.get("labels", {}).get(COMPONENT, "")
        if component not in SINGLE:
            return
        running = self._running[metadata["namespace"], component]
        if kind != "DELETED" and pod.get("status", {}).get("phase") == "Running":
            running[metadata["uid"]] = metadata["name"]
        else:
            running.pop(metadata["uid"], None)
        if len(running) > 1:
            names = ", ".join(sorted(running.values()))
            self._problems[metadata["namespace"]].append(
                f"{len(running)} pods of {component} run at the same time: {names}"
            )

    def take_claim(self, kind: str, claim: Object) -> None:
        """Note a claim that goes."""
        metadata = claim["metadata"]
        goes = kind == "DELETED" or "deletionTimestamp" in metadata
        if metadata["uid"] in self._spared:
            return
        if goes and metadata["namespace"] in self._guarded:
            self._problems[metadata["namespace"]].append(f"claim {metadata['name']} was deleted")


def _take_list(items: list[Any], known: dict[str, Object], take: Take) -> None:
    listed = {item["metadata"]["uid"]: item for item in items}
    for uid in known.keys() - listed.keys():
        take("DELETED", known.pop(uid))
    for uid, item in listed.items():
        known[uid] = item
        take("MODIFIED", item)


def _take_event(kind: str, item: Object, known: dict[str, Object], take: Take) -> None:
    uid = item["metadata"]["uid"]
    if kind == "DELETED":
        known.pop(uid, None)
    else:
        known[uid] = item
    take(kind, item)


def _version(item: System) -> int:
    return int(item["metadata"]["resourceVersion"])
