"""A server that keeps objects and plans that are applied to it."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from trading_operator.kube.access import Kube
from trading_operator.kube.apply import apply_plan
from trading_operator.kube.cache import Key
from trading_operator.plan.observed import Observed, SecretFacts
from trading_operator.plan.types import Applied, Manifest, Owner, Plan
from unit.operator_runtime.objects import OWNER_UID, build_config_map

KEY = Key("ns", "one")
OWNER = Owner("tradingoperator.io/v1alpha1", "TradingSystem", "one", "ns", OWNER_UID, 1)
LABELS = {"app.kubernetes.io/managed-by": "trading-operator", "app.kubernetes.io/part-of": "one"}
CLAIM = "data-db-0"
OWNED = [{"kind": "TradingSystem", "name": "one", "uid": OWNER_UID}]


def build_manifest(kind: str, name: str, **content: Any) -> Manifest:
    """A child of the system."""
    metadata = {"name": name, "namespace": "ns", "labels": LABELS, "ownerReferences": OWNED}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}


def put_claim(bench: "Bench") -> None:
    """Have the claim be there."""
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
