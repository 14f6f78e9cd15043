"""What becomes of writes that the server refuses, and of what waits for them."""

import asyncio
import contextlib
from typing import Any

import pytest

from trading_operator.kube import transport as transport_module
from trading_operator.kube.errors import ApiError, NotLeadingError
from trading_operator.kube.transport import Call
from trading_operator.plan.observed import Ref, SecretFacts
from trading_operator.plan.types import Manifest, SecretRequest
from unit.operator_runtime.bench import CLAIM, KEY, Bench, build_manifest, put_claim
from unit.operator_runtime.objects import OWNER_UID, build_config_map


async def test_a_refused_write_is_reported_and_not_sent_again_at_once(bench: Bench) -> None:
    bench.server.refusals["c"] = (403, "Forbidden")
    for _ in range(3):
        applied = await bench.apply(build_manifest("ConfigMap", "c"))
        (failure,) = applied.failures
        assert (failure.ref, failure.status, failure.message) == (
            Ref("ConfigMap", "c"),
            403,
            "no c",
        )
    assert len(bench.server.log) == 1
    due = bench.kube.refusals.due_in(KEY)
    assert due is not None
    assert 0 < due <= 10
    await bench.apply(build_manifest("ConfigMap", "c", data={"changed": "1"}))
    assert len(bench.server.log) == 2


async def test_one_failing_write_keeps_no_other_from_being_made(bench: Bench) -> None:
    bench.server.refusals["bad"] = (500, "InternalError")
    with pytest.raises(ApiError):
        await bench.apply(build_manifest("ConfigMap", "bad"), build_manifest("ConfigMap", "good"))
    assert ("POST", "configmaps/good") in bench.server.log


async def test_a_refused_change_that_is_taken_back_is_forgotten(bench: Bench) -> None:
    await bench.apply(build_manifest("ConfigMap", "c", data={"a": "1"}))
    bench.server.refusals["c"] = (403, "Forbidden")
    await bench.apply(build_manifest("ConfigMap", "c", data={"a": "2"}))
    assert bench.kube.refusals.due_in(KEY) is not None
    applied = await bench.apply(build_manifest("ConfigMap", "c", data={"a": "1"}))
    assert applied.failures == ()
    assert bench.kube.refusals.due_in(KEY) is None


async def test_a_refused_deletion_of_what_goes_by_itself_is_forgotten(bench: Bench) -> None:
    bench.kube.cache.put(build_config_map("c", 1))
    bench.server.refusals["c"] = (403, "Forbidden")
    await bench.apply(prune=(Ref("ConfigMap", "c"),))
    assert bench.kube.refusals.due_in(KEY) is not None
    bench.kube.cache.put(build_config_map("c", 2, deletionTimestamp="2026-01-01T00:00:00Z"))
    await bench.apply(prune=(Ref("ConfigMap", "c"),))
    assert bench.kube.refusals.due_in(KEY) is None


@pytest.mark.parametrize(
    "fault", [{"refusal": (500, "InternalError")}, {"refusal": (409, "Conflict")}]
)
async def test_what_does_not_need_a_failed_object_is_written_and_nothing_deleted(
    bench: Bench, fault: dict[str, tuple[int, str]]
) -> None:
    bench.kube.cache.put(build_config_map("old", 1))
    bench.server.refusals["bad"] = fault["refusal"]
    objects = [build_manifest("Service", "bad"), _workload("d", "none"), _workload("e", "none")]
    with pytest.raises(ApiError):
        await bench.apply(*objects, prune=(Ref("ConfigMap", "old"),))
    assert bench.server.log == [
        ("POST", "services/bad"),
        ("POST", "deployments/d"),
        ("POST", "deployments/e"),
    ]


async def test_a_server_in_trouble_is_not_asked_for_everything_else(bench: Bench) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport_module, "READ_ATTEMPTS", 1)
        bench.server.refusals["c"] = (429, "TooManyRequests")
        with pytest.raises(ApiError):
            await bench.apply(build_manifest("ConfigMap", "c"), _workload("d", "none"))
    assert bench.server.log == [("POST", "configmaps/c")]


@pytest.mark.parametrize("refusal", [(403, "Forbidden"), (500, "InternalError")])
async def test_no_volume_is_opened_before_its_secret_is_there(
    bench: Bench, refusal: tuple[int, str]
) -> None:
    put_claim(bench)
    request = SecretRequest(build_manifest("Secret", "db-credentials"), CLAIM, "trader", {})
    objects = [_workload("db", "db-credentials"), _workload("other", "none")]
    bench.server.refusals["db-credentials"] = refusal
    for _ in range(2):  # the second time the refusal stands
        with contextlib.suppress(ApiError):
            applied = await bench.apply(*objects, generated_secrets=(request,))
            assert [failure.ref.name for failure in applied.failures] == ["db-credentials"]
    assert ("POST", "deployments/db") not in bench.server.log
    assert ("POST", "deployments/other") in bench.server.log
    posts = bench.server.log.count(("POST", "secrets/db-credentials"))
    assert posts == (1 if refusal[0] == 403 else 2)

    bench.server.refusals.clear()
    bench.kube.refusals.forget(KEY)  # its time has come
    await bench.apply(*objects, generated_secrets=(request,))
    assert bench.server.log[-2:] == [
        ("POST", "secrets/db-credentials"),
        ("POST", "deployments/db"),
    ]


async def test_a_secret_goes_with_the_claim_that_it_opens_and_is_not_made_without(
    bench: Bench,
) -> None:
    request = SecretRequest(build_manifest("Secret", "s"), CLAIM, "trader", {})
    claim, workload = build_manifest("PersistentVolumeClaim", CLAIM), _workload("db", "s")
    bench.server.refusals[CLAIM] = (403, "Forbidden")
    await bench.apply(workload, claim, generated_secrets=(request,))
    assert bench.server.log == [("POST", f"persistentvolumeclaims/{CLAIM}")]

    bench.server.refusals.clear()
    bench.kube.refusals.forget(KEY)
    await bench.apply(workload, claim, generated_secrets=(request,))
    assert [path for _, path in bench.server.log[1:]] == [
        f"persistentvolumeclaims/{CLAIM}",
        "secrets/s",
        "deployments/db",
    ]
    (owner,) = bench.server.bodies[2]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("PersistentVolumeClaim", CLAIM)


async def test_no_workload_takes_a_claim_of_somebody_else(bench: Bench) -> None:
    store = {**_workload("db", "mine"), "kind": "StatefulSet"}
    bench.server.refusals[CLAIM] = (403, "Forbidden")
    await bench.apply(store, build_manifest("PersistentVolumeClaim", CLAIM))
    assert ("POST", "statefulsets/db") not in bench.server.log


async def test_a_secret_that_was_made_after_all_is_no_refusal_any_more(bench: Bench) -> None:
    put_claim(bench)
    request = SecretRequest(build_manifest("Secret", "s"), CLAIM, "trader", {})
    bench.server.refusals["s"] = (403, "Forbidden")
    await bench.apply(generated_secrets=(request,))
    bench.secrets["s"] = SecretFacts("s", frozenset(), "")
    await bench.apply(generated_secrets=(request,))
    assert bench.kube.refusals.due_in(KEY) is None


async def test_a_secret_that_is_there_unseen_is_looked_at_before_its_volume_is_opened(
    bench: Bench,
) -> None:
    put_claim(bench)
    request = SecretRequest(build_manifest("Secret", "s"), CLAIM, "trader", {})
    await bench.apply(generated_secrets=(request,))
    applied = await bench.apply(_workload("db", "s"), generated_secrets=(request,))
    assert applied.failures == ()
    assert ("POST", "deployments/db") not in bench.server.log


async def test_a_refused_growth_of_a_claim_keeps_no_workload_from_being_written(
    bench: Bench,
) -> None:
    live = {**build_config_map("data", 1), "kind": "PersistentVolumeClaim"}
    bench.kube.cache.put(live)
    bench.server.refusals["data"] = (422, "Invalid")
    grown = build_manifest("PersistentVolumeClaim", "data", spec={"more": "1"})
    await bench.apply(grown, _workload("d", "data"))
    assert ("POST", "deployments/d") in bench.server.log


def _workload(name: str, mounts: str) -> Manifest:
    volumes = [{"name": "v", "secret": {"secretName": mounts}}]
    return build_manifest("Deployment", name, spec={"template": {"spec": {"volumes": volumes}}})


async def test_no_write_goes_on_when_another_one_broke_off(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_one, write_one = asyncio.Event(), bench.kube.transport.send

    async def send(call: Call) -> Any:
        if call.body["metadata"]["name"] == "fenced":
            raise NotLeadingError("create x")
        await asyncio.sleep(0.05)
        slow_one.set()
        return await write_one(call)

    monkeypatch.setattr(bench.kube.transport, "send", send)
    with pytest.raises(NotLeadingError):
        await bench.apply(
            build_manifest("ConfigMap", "fenced"), build_manifest("ConfigMap", "slow")
        )
    assert slow_one.is_set()
    assert Ref("ConfigMap", "slow") in bench.kube.cache.children(KEY, OWNER_UID)


async def test_a_service_that_cannot_be_told_to_halt_is_not_started(bench: Bench) -> None:
    bench.server.refusals["one-trading-state"] = (403, "Forbidden")
    file = build_manifest("ConfigMap", "one-trading-state")
    applied = await bench.apply(file, _workload("api", "one-trading-state"))
    assert ("POST", "deployments/api") not in bench.server.log
    assert [failure.ref.name for failure in applied.failures] == ["one-trading-state"]


@pytest.mark.parametrize("answer", [(403, "Forbidden"), (500, "InternalError")])
async def test_no_job_runs_without_an_object_that_was_planned_with_it(
    bench: Bench, answer: tuple[int, str]
) -> None:
    bench.server.refusals["guard"] = answer
    guard, job = build_manifest("NetworkPolicy", "guard"), build_manifest("Job", "once")
    with contextlib.suppress(ApiError):
        await bench.apply(guard, job)
    assert not [path for _, path in bench.server.log if path.startswith("jobs")]
    bench.kube.refusals.forget(KEY)
    bench.server.refusals.clear()
    await bench.apply(guard, job)
    assert ("POST", "jobs/once") in bench.server.log


async def test_a_job_waits_for_no_change_of_what_is_there(bench: Bench) -> None:
    put_claim(bench)
    bench.server.refusals[CLAIM] = (403, "Forbidden")
    grown = build_manifest("PersistentVolumeClaim", CLAIM, spec={"resources": {"requests": {}}})
    applied = await bench.apply(grown, build_manifest("Job", "once"))
    assert len(applied.failures) == 1
    assert ("POST", "jobs/once") in bench.server.log


async def test_nothing_goes_back_while_it_cannot_be_written_that_the_change_failed(
    bench: Bench,
) -> None:
    verdict = build_manifest("ControllerRevision", "one-failed", revision=2, data={})
    bench.server.refusals["one-failed"] = (403, "Forbidden")
    applied = await bench.apply(build_manifest("Deployment", "d"), verdicts=(verdict,))
    assert [failure.ref.name for failure in applied.failures] == ["one-failed"]
    bench.server.refusals["one-failed"] = (409, "Conflict")
    bench.kube.refusals.forget(KEY)
    with pytest.raises(ApiError, match="Conflict"):
        await bench.apply(build_manifest("Deployment", "d"), verdicts=(verdict,))
    assert ("POST", "deployments/d") not in bench.server.log
