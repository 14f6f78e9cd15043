"""What is written of a plan, in which order, and what becomes of refusals."""

import copy

import pytest
from aiohttp import web

from trading_operator.kube import write
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.errors import ApiError
from trading_operator.kube.resources import CONFIG_MAPS, JOBS
from trading_operator.kube.transport import Call
from trading_operator.manifests.compare import differs
from trading_operator.plan.observed import Observed, Ref, SecretFacts
from trading_operator.plan.types import Manifest, Plan, SecretRequest
from unit.operator_runtime.bench import CLAIM, KEY, OWNER, Bench, build_manifest, put_claim
from unit.operator_runtime.objects import OWNER_UID, build_config_map


async def test_what_pods_need_is_made_before_what_makes_pods(bench: Bench) -> None:
    objects = [
        build_manifest("Deployment", "d"),
        build_manifest("ConfigMap", "c"),
        build_manifest("Service", "s"),
    ]
    applied = await bench.apply(*objects)
    assert [method for method, _ in bench.server.log] == ["POST"] * 3
    assert bench.server.log[-1] == ("POST", "deployments/d")
    assert applied.writes == 3
    assert set(applied.children) == {
        Ref("Deployment", "d"),
        Ref("ConfigMap", "c"),
        Ref("Service", "s"),
    }


async def test_what_is_there_already_costs_nothing(bench: Bench) -> None:
    await bench.apply(build_manifest("ConfigMap", "c", data={"a": "1"}))
    before = len(bench.server.log)
    applied = await bench.apply(build_manifest("ConfigMap", "c", data={"a": "1"}))
    assert len(bench.server.log) == before
    assert applied.writes == 0


async def test_one_version_is_compared_once_with_a_plan_and_drift_is_seen_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def count(wanted: Manifest, live: Manifest) -> bool:
        compared.append(wanted)
        return differs(wanted, live)

    monkeypatch.setattr(write, "differs", count)
    wanted = build_manifest("ConfigMap", "c", data={"a": "1"})
    for _ in range(3):
        await bench.apply(wanted)
    assert len(compared) == 1
    assert len(bench.server.log) == 1
    drifted = build_manifest("ConfigMap", "c", data={"a": "somebody's"})
    bench.kube.cache.put(build_config_map("c", 9) | {"data": drifted["data"]})
    await bench.apply(wanted)
    assert bench.server.log[-1] == ("PATCH", "configmaps/c")


async def test_a_change_holds_only_for_the_version_that_was_seen(bench: Bench) -> None:
    await bench.apply(build_manifest("ConfigMap", "c", data={"a": "1"}))
    await bench.apply(build_manifest("ConfigMap", "c", data={"a": "2"}))
    assert bench.server.log[-1] == ("PATCH", "configmaps/c")
    assert bench.server.bodies[-1]["metadata"]["resourceVersion"] == "1"


async def test_our_first_change_turns_the_entry_of_the_creation_into_one_of_apply(
    bench: Bench,
) -> None:
    managed = [{"manager": "trading-operator", "operation": "Update"}]
    live = build_config_map("c", 1, managedFields=managed)
    bench.server.objects["/api/v1/namespaces/ns/configmaps/c"] = build_config_map("c", 1)
    bench.kube.cache.put(live)
    await bench.apply(build_manifest("ConfigMap", "c", data={"a": "2"}))
    guard, turn = bench.server.bodies[0]
    assert (guard["path"], guard["value"]) == ("/metadata/resourceVersion", "1")
    assert (turn["path"], turn["value"]) == ("/metadata/managedFields/0/operation", "Apply")
    assert [method for method, _ in bench.server.log] == ["PATCH", "PATCH"]


async def test_conflicts_are_no_contest(bench: Bench) -> None:
    bench.kube.cache.put(build_config_map("c", 1))
    bench.server.refusals["c"] = (409, "Conflict")
    for _ in range(5):
        with pytest.raises(ApiError) as caught:
            await bench.apply(build_manifest("ConfigMap", "c", data={"a": "1"}))
        assert caught.value.status == 409


async def test_an_object_that_moved_meanwhile_is_left_to_the_next_pass(bench: Bench) -> None:
    stale = build_config_map("c", 1)
    bench.kube.cache.put(build_config_map("c", 2))
    observed = Observed(children={Ref("ConfigMap", "c"): stale})
    plan = Plan(objects=(build_manifest("ConfigMap", "c", data={"a": "1"}),))
    await apply_plan(bench.kube, OWNER, plan, observed)
    assert bench.server.log == []


async def test_our_own_object_that_the_cache_does_not_know_is_taken_over(bench: Bench) -> None:
    manifest = build_manifest("ConfigMap", "c", data={"a": "1"})
    await bench.kube.transport.send(_post(manifest))
    applied = await bench.apply(manifest)
    assert applied.failures == ()
    assert applied.children[Ref("ConfigMap", "c")]["metadata"]["uid"]
    assert not bench.kube.foreign.known(KEY)


async def test_somebody_elses_object_is_named_and_left_alone(bench: Bench) -> None:
    theirs = build_manifest("ConfigMap", "c", data={"theirs": "1"})
    theirs["metadata"] = {"name": "c", "namespace": "ns"}
    await bench.kube.transport.send(_post(theirs))
    applied = await bench.apply(build_manifest("ConfigMap", "c", data={"a": "1"}))
    (failure,) = applied.failures
    assert "not this system's" in failure.message
    assert bench.kube.foreign.known(KEY) == {Ref("ConfigMap", "c")}
    assert [method for method, _ in bench.server.log] == ["POST", "POST", "GET"]


@pytest.mark.parametrize(
    ("today", "deleted"), [(OWNER_UID, True), ("a newer one", False)], ids=["today's", "outdated"]
)
async def test_the_rest_of_a_former_system_goes_if_this_is_the_system_of_today(
    bench: Bench, today: str, deleted: bool
) -> None:
    former = build_manifest("ConfigMap", "c")
    references = [{"kind": "TradingSystem", "name": "one", "uid": "former"}]
    former["metadata"] = {**former["metadata"], "ownerReferences": references}
    await bench.kube.transport.send(_post(former))
    path = "/apis/tradingoperator.io/v1alpha1/namespaces/ns/tradingsystems/one"
    bench.server.objects[path] = {"metadata": {"uid": today}}
    with pytest.raises(ApiError) as caught:
        await bench.apply(build_manifest("ConfigMap", "c"))
    assert caught.value.status == 409
    assert not bench.kube.foreign.known(KEY)
    assert (("DELETE", "configmaps/c") in bench.server.log) == deleted


async def test_the_job_of_a_former_owner_is_waited_for(bench: Bench) -> None:
    former = build_manifest("Job", "once")
    references = [{"kind": "TradingSystem", "name": "one", "uid": "former"}]
    former["metadata"] = {**former["metadata"], "ownerReferences": references}
    await bench.kube.transport.send(Call("create", JOBS, "ns", body=former))
    owner = "/apis/tradingoperator.io/v1alpha1/namespaces/ns/tradingsystems/one"
    bench.server.objects[owner] = {"metadata": {"uid": OWNER_UID}}
    with pytest.raises(ApiError, match="not deleted yet"):
        await bench.apply(build_manifest("Job", "once"))
    assert "DELETE" not in {method for method, _ in bench.server.log}


async def test_a_generated_secret_is_made_once_and_its_values_are_random(bench: Bench) -> None:
    manifest = build_manifest("Secret", "s")
    put_claim(bench)
    request = SecretRequest(manifest, CLAIM, "trader", {"url": "db://trader:{password}@db"})
    await bench.apply(generated_secrets=(request,))
    values = bench.server.bodies[0]["stringData"]
    assert values["username"] == "trader"
    assert len(values["password"]) >= 32
    assert values["url"] == f"db://trader:{values['password']}@db"

    await bench.apply(generated_secrets=(request,))  # not known yet: refused as existing, kept
    assert bench.server.bodies[1]["stringData"]["password"] != values["password"]
    stored = bench.server.objects["/api/v1/namespaces/ns/secrets/s"]
    assert stored["stringData"]["password"] == values["password"]

    bench.secrets["s"] = SecretFacts("s", frozenset(), "")
    before = len(bench.server.log)
    await bench.apply(generated_secrets=(request,))
    assert len(bench.server.log) == before


async def test_pruning_deletes_exactly_what_was_seen_and_never_a_claim(bench: Bench) -> None:
    for kind, name in (("ConfigMap", "c"), ("PersistentVolumeClaim", "data")):
        live = {**build_config_map(name, 7), "kind": kind}
        bench.kube.cache.put(live)
    prune = (Ref("ConfigMap", "c"), Ref("PersistentVolumeClaim", "data"), Ref("Service", "gone"))
    applied = await bench.apply(prune=prune)
    assert bench.server.log == [("DELETE", "configmaps/c")]
    assert bench.server.bodies[0]["preconditions"] == {"uid": "uid-c", "resourceVersion": "7"}
    assert set(applied.children) == {Ref("PersistentVolumeClaim", "data")}
    assert bench.kube.cache.bereft == set()


@pytest.mark.parametrize(("when", "left"), [("Retain", "Foreground"), ("Delete", "Orphan")])
async def test_no_claim_goes_with_a_stateful_set_that_left_the_spec(
    bench: Bench, when: str, left: str
) -> None:
    spec = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": when}}
    bench.kube.cache.put({**build_config_map("db", 1), "kind": "StatefulSet", "spec": spec})
    await bench.apply(prune=(Ref("StatefulSet", "db"),))
    assert bench.server.bodies[0]["propagationPolicy"] == left


async def test_a_workload_that_was_deleted_is_seen_until_what_it_made_is_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = {**build_config_map("app", 1), "kind": "Deployment", "spec": {}}
    bench.kube.cache.put(dict(live))
    ending = {**live["metadata"], "resourceVersion": "2", "deletionTimestamp": "2026-01-01"}
    left = {**live, "metadata": ending}
    monkeypatch.setattr(bench.server, "delete", lambda *_: web.json_response(left))
    for _ in range(2):
        applied = await bench.apply(prune=(Ref("Deployment", "app"),))
        assert "deletionTimestamp" in applied.children[Ref("Deployment", "app")]["metadata"]
    assert bench.server.log == [("DELETE", "deployments/app")]


async def test_a_service_that_was_deleted_is_not_remembered_by_the_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = {**build_config_map("app", 1), "kind": "Service", "spec": {}}
    bench.kube.cache.put(dict(live))
    # The server answers the last that a Service was; the watch has told already that it is gone.
    monkeypatch.setattr(bench.server, "delete", lambda *_: web.json_response(live))
    applied = await bench.apply(prune=(Ref("Service", "app"),))
    assert Ref("Service", "app") not in applied.children
    assert len(bench.kube.cache) == 0


async def test_an_abandoned_pod_goes_as_it_was_seen_and_not_once_it_is_taken_over(
    bench: Bench,
) -> None:
    pod = {**build_config_map("db-0", 7), "kind": "Pod"}
    pod["metadata"].pop("ownerReferences", None)
    bench.kube.cache.put(copy.deepcopy(pod))
    await bench.apply(replace_pods=("db-0",))
    assert bench.server.bodies[0]["preconditions"] == {"uid": "uid-db-0", "resourceVersion": "7"}
    bench.server.refusals["db-0"] = (409, "Conflict")
    with pytest.raises(ApiError, match="409"):
        await bench.apply(replace_pods=("db-0",))

    seen = bench.kube.cache.pods(KEY)
    controller = [{"kind": "StatefulSet", "name": "db", "uid": "u", "controller": True}]
    metadata = {**pod["metadata"], "resourceVersion": "8", "ownerReferences": controller}
    bench.kube.cache.put({**pod, "metadata": metadata})
    before = len(bench.server.log)
    plan = Plan(replace_pods=("db-0",))
    await apply_plan(bench.kube, OWNER, plan, Observed(pods=seen))
    assert len(bench.server.log) == before


async def test_a_pod_that_was_deleted_is_not_deleted_again_before_the_watch_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = {**build_config_map("db-0", 7), "kind": "Pod"}
    controller = [{"kind": "StatefulSet", "name": "db", "uid": "u", "controller": True}]
    pod["metadata"]["ownerReferences"] = controller
    bench.kube.cache.put(copy.deepcopy(pod))
    ending = {"resourceVersion": "8", "deletionTimestamp": "2026-11-01T00:00:00Z"}
    left = {**pod, "metadata": {**pod["metadata"], **ending}}
    monkeypatch.setattr(bench.server, "delete", lambda *_: web.json_response(left))
    for _ in range(2):
        await bench.apply(replace_pods=("db-0",))
    assert bench.server.log == [("DELETE", "pods/db-0")]


def _post(manifest: Manifest) -> Call:
    return Call("create", CONFIG_MAPS, "ns", body=manifest)


async def test_a_stateful_set_that_is_changed_when_it_is_made_is_not_made_anew_for_ever(
    bench: Bench,
) -> None:
    wanted = build_manifest("StatefulSet", "s", spec={"serviceName": "right"})
    for version in range(1, 6):
        live = {**build_config_map("s", 2 * version), "kind": "StatefulSet"}
        live["spec"] = {"serviceName": "the webhook's"}
        bench.server.objects["/apis/apps/v1/namespaces/ns/statefulsets/s"] = live
        bench.kube.cache.put(live)
        applied = await bench.apply(recreate=(wanted,))
    assert bench.server.log.count(("DELETE", "statefulsets/s")) == 3
    assert "spec.serviceName" in applied.failures[0].message


async def test_every_write_says_whose_it_is(bench: Bench) -> None:
    managed = [{"manager": "trading-operator", "operation": "Update"}]
    bench.kube.cache.put(build_config_map("c", 1, managedFields=managed))
    bench.server.objects["/api/v1/namespaces/ns/configmaps/c"] = build_config_map("c", 1)
    await bench.apply(build_manifest("ConfigMap", "c", data={"a": "2"}))
    assert len(bench.server.managers) == 2
    assert set(bench.server.managers) == {"trading-operator"}


async def test_what_became_of_a_revision_is_written_before_all_else(bench: Bench) -> None:
    verdict = build_manifest("ControllerRevision", "one-failed", revision=2, data={})
    await bench.apply(
        build_manifest("ConfigMap", "c"), build_manifest("Deployment", "d"), verdicts=(verdict,)
    )
    assert [path for _, path in bench.server.log] == [
        "controllerrevisions/one-failed",
        "configmaps/c",
        "deployments/d",
    ]
