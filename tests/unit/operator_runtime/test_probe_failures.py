"""Failed probes are counted for their own pod, told at once, and forgotten when they expire."""

import asyncio
from typing import Any

import pytest

from trading_operator.kube import event_informer as event_informer_module
from trading_operator.kube import probe_failures as probe_failures_module
from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.event_informer import EventInformer
from trading_operator.kube.probe_failures import ProbeFailures
from trading_operator.kube.resources import POD_EVENTS
from trading_operator.metrics import Metrics
from unit.operator_runtime.objects import build_pod
from unit.operator_runtime.scripted_server import (
    ScriptedServer,
    answer_error,
    answer_json,
    answer_stream,
)
from unit.operator_runtime.waiting import until

ONE = Key("ns", "one")
READINESS = "Readiness probe failed: HTTP probe failed with statuscode: 503"


def _event(name: str = "e1", message: str = READINESS, count: int = 1, **about: Any) -> Any:
    pod = {"kind": "Pod", "namespace": "ns", "name": "p", "uid": "uid-p", **about}
    metadata = {"name": name, "namespace": "ns", "resourceVersion": "5"}
    return {
        "kind": "Event",
        "metadata": metadata,
        "involvedObject": pod,
        "message": message,
        "count": count,
        "reason": "Unhealthy",
    }


def _cache() -> tuple[Cache, list[Key], list[Key]]:
    woken: list[Key] = []
    alarmed: list[Key] = []
    return Cache(woken.append, alarmed.append), woken, alarmed


def _probes(cache: Cache) -> Any:
    (pod,) = cache.pods(ONE)
    return {name: each.count for name, each in pod.failed_probes.items()}


def test_probes_are_counted_by_kind_and_wake_urgently() -> None:
    cache, _, alarmed = _cache()
    cache.put(build_pod("p", 1))
    cache.probes.put(_event(count=2))
    cache.probes.put(_event("e2", "Readiness probe failed: connection refused"))
    cache.probes.put(_event("e3", "Liveness probe failed: timeout", 4))
    assert _probes(cache) == {"Readiness": 3, "Liveness": 4}
    (pod,) = cache.pods(ONE)
    assert pod.failed_probes["Liveness"].words == "Liveness probe failed: timeout"
    assert alarmed == [ONE] * 3
    cache.probes.put(_event("e3", "Liveness probe failed: timeout", 4))
    assert len(alarmed) == 3  # it says no more than before


def test_how_long_a_probe_has_failed_is_told_over_all_its_words() -> None:
    cache, _, _ = _cache()
    cache.put(build_pod("p", 1))
    first = {"firstTimestamp": "2026-01-02T03:04:05Z", "lastTimestamp": "2026-01-02T03:04:08Z"}
    later = {"firstTimestamp": "2026-01-02T03:04:10Z", "lastTimestamp": "2026-01-02T03:04:12Z"}
    cache.probes.put({**_event(count=2), **first})
    cache.probes.put({**_event("e2", "Readiness probe failed: refused"), **later})
    (pod,) = cache.pods(ONE)
    failed = pod.failed_probes["Readiness"]
    assert (failed.count, failed.seconds) == (3, 7.0)
    assert failed.words == "Readiness probe failed: refused"


def test_the_next_pod_of_a_name_has_none_of_the_last_ones_failures() -> None:
    cache, _, alarmed = _cache()
    cache.put(build_pod("p", 1))
    cache.probes.put(_event(uid="another"))
    assert _probes(cache) == {}
    assert alarmed == []


@pytest.mark.parametrize(
    "event",
    [
        _event(message="Readiness probe errored: no such container"),
        _event(message="Liveness probe warning: redirect"),
        _event(kind="Node"),
    ],
)
def test_other_events_count_nothing(event: Any) -> None:
    cache, _, alarmed = _cache()
    cache.put(build_pod("p", 1))
    cache.probes.put(event)
    cache.probes.remove(event)
    assert (_probes(cache), alarmed) == ({}, [])


def test_an_expired_event_and_one_that_a_list_lacks_count_no_more() -> None:
    cache, _, _ = _cache()
    cache.put(build_pod("p", 1))
    for name in ("e1", "e2", "e3"):
        cache.probes.put(_event(name))
    cache.probes.remove(_event("e1"))
    assert _probes(cache) == {"Readiness": 2}
    cache.probes.replace("Event", None, [cache.probes.read(_event("e3"))], 9)
    assert _probes(cache) == {"Readiness": 1}
    cache.probes.replace("Event", "elsewhere", [], 10)
    assert _probes(cache) == {"Readiness": 1}


def test_a_cluster_full_of_failing_pods_takes_no_more_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe_failures_module, "REMEMBERED", 3)
    probes = ProbeFailures(lambda _: None)
    for number in range(9):
        probes.put(_event(uid=f"uid-{number}"))
    assert len(probes) == 3


def test_a_lost_readiness_and_a_new_failure_are_urgent_and_a_start_is_not() -> None:
    cache, woken, alarmed = _cache()
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cache.put(build_pod("p", 1))
    cache.put(build_pod("p", 2, **ready))
    assert (len(woken), alarmed) == (2, [])
    cache.put(build_pod("p", 3, phase="Running"))
    assert alarmed == [ONE]
    ended = {"terminated": {"exitCode": 1}}
    crash = [{"name": "main", "ready": False, "restartCount": 0, "state": ended}]
    cache.put(build_pod("p", 4, phase="Running", containerStatuses=crash))
    assert alarmed == [ONE, ONE]


async def test_a_watch_of_events_that_is_silent_for_long_is_no_mishap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without a bookmark the version is soon too old: it lists again, and waits for nothing.
    monkeypatch.setattr(event_informer_module, "WATCH_SECONDS", (1, 1))
    page = answer_json({"metadata": {"resourceVersion": "7"}, "items": []})
    quiet = answer_stream()
    server = ScriptedServer(
        answer_error(400, "BadRequest"),  # no streamed list of what is not cached
        *(step for _ in range(4) for step in (page, answer_error(410, "Expired"))),
        page,
        quiet,
    )
    probes = ProbeFailures(lambda _: None)
    async with server.transport() as transport:
        informer = EventInformer(transport, probes, POD_EVENTS, None, Metrics())
        task = asyncio.create_task(informer.run())
        await until(lambda: len(server.requests) >= 11, 3.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert informer.health().error in ("", "the watch ended at once")
    listed = [path for _, path in server.requests if "limit" in path]
    assert len(listed) == 5
    assert all("fieldSelector=reason%3DUnhealthy" in path for _, path in server.requests)
    assert not any("labelSelector" in path for _, path in server.requests)


async def test_a_role_that_may_not_watch_events_keeps_nobody_from_leading() -> None:
    server = ScriptedServer(answer_error(403, "Forbidden"))
    probes = ProbeFailures(lambda _: None)
    async with server.transport() as transport:
        informer = EventInformer(transport, probes, POD_EVENTS, None, Metrics())
        task = asyncio.create_task(informer.run())
        await until(informer.synced.is_set, 3.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    health = informer.health()
    assert (health.synced, health.stalled) == (True, False)
    assert "Forbidden" in health.error
