"""What is written of a plan, in which order, and what becomes of refusals."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from trading_operator.kube import transport as transport_module
from trading_operator.kube import write
from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.errors import ApiError, NotLeadingError
from trading_operator.kube.named import NamedReader
from trading_operator.kube.resources import CONFIG_MAPS, JOBS
from trading_operator.kube.transport import Call
from trading_operator.manifests.compare import differs
from trading_operator.plan.observed import Observed, Ref, SecretFacts
from trading_operator.plan.types import Applied, Manifest, Owner, Plan, SecretRequest
from unit.operator_runtime.objects import OWNER_UID, build_config_map
from unit.operator_runtime.scripted_server import ScriptedServer

KEY = Key("ns", "one")
OWNER = Owner("tradingoperator.io/v1alpha1", "TradingSystem", "one", "ns", OWNER_UID, 1)
LABELS = {"app.kubernetes.io/managed-by": "trading-operator", "app.kubernetes.io/part-of": "one"}
CLAIM = "data-db-0"
OWNED = [{"kind": "TradingSystem", "name": "one", "uid": OWNER_UID}]


def _manifest(kind: str, name: str, **content: Any) -> Manifest:
    metadata = {"name": name, "namespace": "ns", "labels": LABELS, "ownerReferences": OWNED}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}


def _put_claim(bench: "Bench") -> None:
    bench.kube.cache.put({**build_config_map(CLAIM, 1), "kind": "PersistentVolumeClaim"})


class Objects:
    """An API server that keeps objects by path, and refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        self.log: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self.managers: list[str | None] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body: Any = await request.json() if await request.read() else None
        path = request.path
        if request.method == "POST":
            path = f"{path}/{body['metadata']['name']}"
        name = path.rsplit("/", 1)[1]
        self.log.append((request.method, "/".join(path.rsplit("/", 2)[1:])))
        self.bodies.append(body)
        if request.method != "GET":
            self.managers.append(request.query.get("fieldManager"))
        if name in self.refusals and request.method != "GET":
            code, reason = self.refusals[name]
            return web.json_response({"reason": reason, "message": f"no {name}"}, status=code)
        handlers: dict[str, Callable[[str, Any], web.Response]] = {
            "POST": self.post,
            "GET": self.get,
            "PATCH": self.patch,
            "DELETE": self.delete,
        }
        return handlers[request.method](path, body)

    def post(self, path: str, body: Manifest) -> web.Response:
        """Create an object."""
        if path in self.objects:
            return web.json_response({"reason": "AlreadyExists"}, status=409)
        return self._store(path, body)

    def get(self, path: str, _: Any) -> web.Response:
        """Return an object."""
        if path not in self.objects:
            return web.json_response({"reason": "NotFound"}, status=404)
        return web.json_response(self.objects[path])

    def patch(self, path: str, body: Any) -> web.Response:
        """Take a JSON patch for what it is, and an apply as the whole object."""
        return self._store(path, self.objects[path] if isinstance(body, list) else body)

    def delete(self, path: str, body: Any) -> web.Response:
        """Delete an object."""
        self.objects.pop(path, None)
        return web.json_response({"kind": "Status"})

    def _store(self, path: str, body: Manifest) -> web.Response:
        metadata = {**body["metadata"], "uid": f"uid-{path}", "resourceVersion": str(len(self.log))}
        self.objects[path] = {**body, "metadata": metadata}
        return web.json_response(self.objects[path])


class Bench:
    """Plans applied to that API server."""

    def __init__(self, kube: Kube, server: Objects) -> None:
        self.kube = kube
        self.server = server
        self.secrets: dict[str, SecretFacts] = {}

    async def apply(self, *objects: Manifest, **plan: Any) -> Applied:
        """Apply a plan of objects from what is cached."""
        children = self.kube.cache.children(KEY, OWNER_UID)
        live = {ref: entry.manifest for ref, entry in children.items()}
        pods = self.kube.cache.pods(KEY)
        observed = Observed(children=live, secrets=self.secrets, pods=pods)
        return await apply_plan(self.kube, OWNER, Plan(objects=objects, **plan), observed)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """An empty namespace."""
    server = Objects()
    async with ScriptedServer(server.answer).transport() as transport:
        yield Bench(
            Kube(
                transport, Cache(lambda _: None), NamedReader(transport), CapacityReader(transport)
            ),
            server,
        )


async def test_what_pods_need_is_made_before_what_makes_pods(bench: Bench) -> None:
    objects = [_manifest("Deployment", "d"), _manifest("ConfigMap", "c"), _manifest("Service", "s")]
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
    await bench.apply(_manifest("ConfigMap", "c", data={"a": "1"}))
    before = len(bench.server.log)
    applied = await bench.apply(_manifest("ConfigMap", "c", data={"a": "1"}))
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
    wanted = _manifest("ConfigMap", "c", data={"a": "1"})
    for _ in range(3):
        await bench.apply(wanted)
    assert len(compared) == 1
    assert len(bench.server.log) == 1
    drifted = _manifest("ConfigMap", "c", data={"a": "somebody's"})
    bench.kube.cache.put(build_config_map("c", 9) | {"data": drifted["data"]})
    await bench.apply(wanted)
    assert bench.server.log[-1] == ("PATCH", "configmaps/c")


async def test_a_change_holds_only_for_the_version_that_was_seen(bench: Bench) -> None:
    await bench.apply(_manifest("ConfigMap", "c", data={"a": "1"}))
    await bench.apply(_manifest("ConfigMap", "c", data={"a": "2"}))
    assert bench.server.log[-1] == ("PATCH", "configmaps/c")
    assert bench.server.bodies[-1]["metadata"]["resourceVersion"] == "1"


async def test_our_first_change_turns_the_entry_of_the_creation_into_one_of_apply(
    bench: Bench,
) -> None:
    managed = [{"manager": "trading-operator", "operation": "Update"}]
    live = build_config_map("c", 1, managedFields=managed)
    bench.server.objects["/api/v1/namespaces/ns/configmaps/c"] = build_config_map("c", 1)
    bench.kube.cache.put(live)
    await bench.apply(_manifest("ConfigMap", "c", data={"a": "2"}))
    guard, turn = bench.server.bodies[0]
    assert (guard["path"], guard["value"]) == ("/metadata/resourceVersion", "1")
    assert (turn["path"], turn["value"]) == ("/metadata/managedFields/0/operation", "Apply")
    assert [method for method, _ in bench.server.log] == ["PATCH", "PATCH"]


async def test_conflicts_are_no_contest(bench: Bench) -> None:
    bench.kube.cache.put(build_config_map("c", 1))
    bench.server.refusals["c"] = (409, "Conflict")
    for _ in range(5):
        with pytest.raises(ApiError) as caught:
            await bench.apply(_manifest("ConfigMap", "c", data={"a": "1"}))
        assert caught.value.status == 409


async def test_an_object_that_moved_meanwhile_is_left_to_the_next_pass(bench: Bench) -> None:
    stale = build_config_map("c", 1)
    bench.kube.cache.put(build_config_map("c", 2))
    observed = Observed(children={Ref("ConfigMap", "c"): stale})
    plan = Plan(objects=(_manifest("ConfigMap", "c", data={"a": "1"}),))
    await apply_plan(bench.kube, OWNER, plan, observed)
    assert bench.server.log == []


async def test_our_own_object_that_the_cache_does_not_know_is_taken_over(bench: Bench) -> None:
    manifest = _manifest("ConfigMap", "c", data={"a": "1"})
    await bench.kube.transport.send(_post(manifest))
    applied = await bench.apply(manifest)
    assert applied.failures == ()
    assert applied.children[Ref("ConfigMap", "c")]["metadata"]["uid"]
    assert not bench.kube.foreign.known(KEY)


async def test_somebody_elses_object_is_named_and_left_alone(bench: Bench) -> None:
    theirs = _manifest("ConfigMap", "c", data={"theirs": "1"})
    theirs["metadata"] = {"name": "c", "namespace": "ns"}
    await bench.kube.transport.send(_post(theirs))
    applied = await bench.apply(_manifest("ConfigMap", "c", data={"a": "1"}))
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
    former = _manifest("ConfigMap", "c")
    references = [{"kind": "TradingSystem", "name": "one", "uid": "former"}]
    former["metadata"] = {**former["metadata"], "ownerReferences": references}
    await bench.kube.transport.send(_post(former))
    path = "/apis/tradingoperator.io/v1alpha1/namespaces/ns/tradingsystems/one"
    bench.server.objects[path] = {"metadata": {"uid": today}}
    with pytest.raises(ApiError) as caught:
        await bench.apply(_manifest("ConfigMap", "c"))
    assert caught.value.status == 409
    assert not bench.kube.foreign.known(KEY)
    assert (("DELETE", "configmaps/c") in bench.server.log) == deleted


async def test_the_job_of_a_former_owner_is_waited_for(bench: Bench) -> None:
    former = _manifest("Job", "once")
    references = [{"kind": "TradingSystem", "name": "one", "uid": "former"}]
    former["metadata"] = {**former["metadata"], "ownerReferences": references}
    await bench.kube.transport.send(Call("create", JOBS, "ns", body=former))
    owner = "/apis/tradingoperator.io/v1alpha1/namespaces/ns/tradingsystems/one"
    bench.server.objects[owner] = {"metadata": {"uid": OWNER_UID}}
    with pytest.raises(ApiError, match="not deleted yet"):
        await bench.apply(_manifest("Job", "once"))
    assert "DELETE" not in {method for method, _ in bench.server.log}


async def test_a_refused_write_is_reported_and_not_sent_again_at_once(bench: Bench) -> None:
    bench.server.refusals["c"] = (403, "Forbidden")
    for _ in range(3):
        applied = await bench.apply(
            _manifest("ConfigMap", "c"),
        )
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
    await bench.apply(_manifest("ConfigMap", "c", data={"changed": "1"}))
    assert len(bench.server.log) == 2


async def test_one_failing_write_keeps_no_other_from_being_made(bench: Bench) -> None:
    bench.server.refusals["bad"] = (500, "InternalError")
    with pytest.raises(ApiError):
        await bench.apply(_manifest("ConfigMap", "bad"), _manifest("ConfigMap", "good"))
    assert ("POST", "configmaps/good") in bench.server.log


async def test_a_generated_secret_is_made_once_and_its_values_are_random(bench: Bench) -> None:
    manifest = _manifest("Secret", "s")
    _put_claim(bench)
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


async def test_a_refused_change_that_is_taken_back_is_forgotten(bench: Bench) -> None:
    await bench.apply(_manifest("ConfigMap", "c", data={"a": "1"}))
    bench.server.refusals["c"] = (403, "Forbidden")
    await bench.apply(_manifest("ConfigMap", "c", data={"a": "2"}))
    assert bench.kube.refusals.due_in(KEY) is not None
    applied = await bench.apply(_manifest("ConfigMap", "c", data={"a": "1"}))
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
    objects = [_manifest("Service", "bad"), _workload("d", "none"), _workload("e", "none")]
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
            await bench.apply(_manifest("ConfigMap", "c"), _workload("d", "none"))
    assert bench.server.log == [("POST", "configmaps/c")]


@pytest.mark.parametrize("refusal", [(403, "Forbidden"), (500, "InternalError")])
async def test_no_volume_is_opened_before_its_secret_is_there(
    bench: Bench, refusal: tuple[int, str]
) -> None:
    _put_claim(bench)
    request = SecretRequest(_manifest("Secret", "db-credentials"), CLAIM, "trader", {})
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
    request = SecretRequest(_manifest("Secret", "s"), CLAIM, "trader", {})
    claim, workload = _manifest("PersistentVolumeClaim", CLAIM), _workload("db", "s")
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
    await bench.apply(store, _manifest("PersistentVolumeClaim", CLAIM))
    assert ("POST", "statefulsets/db") not in bench.server.log


async def test_a_secret_that_was_made_after_all_is_no_refusal_any_more(bench: Bench) -> None:
    _put_claim(bench)
    request = SecretRequest(_manifest("Secret", "s"), CLAIM, "trader", {})
    bench.server.refusals["s"] = (403, "Forbidden")
    await bench.apply(generated_secrets=(request,))
    bench.secrets["s"] = SecretFacts("s", frozenset(), "")
    await bench.apply(generated_secrets=(request,))
    assert bench.kube.refusals.due_in(KEY) is None


async def test_a_secret_that_is_there_unseen_is_looked_at_before_its_volume_is_opened(
    bench: Bench,
) -> None:
    _put_claim(bench)
    request = SecretRequest(_manifest("Secret", "s"), CLAIM, "trader", {})
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
    grown = _manifest("PersistentVolumeClaim", "data", spec={"more": "1"})
    await bench.apply(grown, _workload("d", "data"))
    assert ("POST", "deployments/d") in bench.server.log


def _workload(name: str, mounts: str) -> Manifest:
    volumes = [{"name": "v", "secret": {"secretName": mounts}}]
    return _manifest("Deployment", name, spec={"template": {"spec": {"volumes": volumes}}})


def _post(manifest: Manifest) -> Call:
    return Call("create", CONFIG_MAPS, "ns", body=manifest)


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
        await bench.apply(_manifest("ConfigMap", "fenced"), _manifest("ConfigMap", "slow"))
    assert slow_one.is_set()
    assert Ref("ConfigMap", "slow") in bench.kube.cache.children(KEY, OWNER_UID)


async def test_a_stateful_set_that_is_changed_when_it_is_made_is_not_made_anew_for_ever(
    bench: Bench,
) -> None:
    wanted = _manifest("StatefulSet", "s", spec={"serviceName": "right"})
    for version in range(1, 6):
        live = {**build_config_map("s", 2 * version), "kind": "StatefulSet"}
        live["spec"] = {"serviceName": "the webhook's"}
        bench.server.objects["/apis/apps/v1/namespaces/ns/statefulsets/s"] = live
        bench.kube.cache.put(live)
        applied = await bench.apply(recreate=(wanted,))
    assert bench.server.log.count(("DELETE", "statefulsets/s")) == 3
    assert "spec.serviceName" in applied.failures[0].message


async def test_a_service_that_cannot_be_told_to_halt_is_not_started(bench: Bench) -> None:
    bench.server.refusals["one-trading-state"] = (403, "Forbidden")
    file = _manifest("ConfigMap", "one-trading-state")
    applied = await bench.apply(file, _workload("api", "one-trading-state"))
    assert ("POST", "deployments/api") not in bench.server.log
    assert [failure.ref.name for failure in applied.failures] == ["one-trading-state"]


@pytest.mark.parametrize("answer", [(403, "Forbidden"), (500, "InternalError")])
async def test_no_job_runs_without_an_object_that_was_planned_with_it(
    bench: Bench, answer: tuple[int, str]
) -> None:
    bench.server.refusals["guard"] = answer
    guard, job = _manifest("NetworkPolicy", "guard"), _manifest("Job", "once")
    with contextlib.suppress(ApiError):
        await bench.apply(guard, job)
    assert not [path for _, path in bench.server.log if path.startswith("jobs")]
    bench.kube.refusals.forget(KEY)
    bench.server.refusals.clear()
    await bench.apply(guard, job)
    assert ("POST", "jobs/once") in bench.server.log


async def test_a_job_waits_for_no_change_of_what_is_there(bench: Bench) -> None:
    _put_claim(bench)
    bench.server.refusals[CLAIM] = (403, "Forbidden")
    grown = _manifest("PersistentVolumeClaim", CLAIM, spec={"resources": {"requests": {}}})
    applied = await bench.apply(grown, _manifest("Job", "once"))
    assert len(applied.failures) == 1
    assert ("POST", "jobs/once") in bench.server.log


async def test_every_write_says_whose_it_is(bench: Bench) -> None:
    managed = [{"manager": "trading-operator", "operation": "Update"}]
    bench.kube.cache.put(build_config_map("c", 1, managedFields=managed))
    bench.server.objects["/api/v1/namespaces/ns/configmaps/c"] = build_config_map("c", 1)
    await bench.apply(_manifest("ConfigMap", "c", data={"a": "2"}))
    assert len(bench.server.managers) == 2
    assert set(bench.server.managers) == {"trading-operator"}


async def test_what_became_of_a_revision_is_written_before_all_else(bench: Bench) -> None:
    verdict = _manifest("ControllerRevision", "one-failed", revision=2, data={})
    await bench.apply(
        _manifest("ConfigMap", "c"), _manifest("Deployment", "d"), verdicts=(verdict,)
    )
    assert [path for _, path in bench.server.log] == [
        "controllerrevisions/one-failed",
        "configmaps/c",
        "deployments/d",
    ]


async def test_nothing_goes_back_while_it_cannot_be_written_that_the_change_failed(
    bench: Bench,
) -> None:
    verdict = _manifest("ControllerRevision", "one-failed", revision=2, data={})
    bench.server.refusals["one-failed"] = (403, "Forbidden")
    applied = await bench.apply(_manifest("Deployment", "d"), verdicts=(verdict,))
    assert [failure.ref.name for failure in applied.failures] == ["one-failed"]
    bench.server.refusals["one-failed"] = (409, "Conflict")
    bench.kube.refusals.forget(KEY)
    with pytest.raises(ApiError, match="Conflict"):
        await bench.apply(_manifest("Deployment", "d"), verdicts=(verdict,))
    assert ("POST", "deployments/d") not in bench.server.log
