"""Specs to plan, and a small world that answers a plan as a cluster would."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import COMPONENT, REVISION_ANNOTATION
from trading_operator.plan.observed import (
    Capacity,
    Observed,
    PodFacts,
    Ref,
    RolloutFacts,
    SecretFacts,
    ref_of,
)
from trading_operator.plan.stored_revision import pack_data, read_revision
from trading_operator.plan.trading_system import plan_trading_system
from trading_operator.plan.types import Applied, Manifest, OperandSettings, Owner, Plan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWNER = Owner("tradingoperator.io/v1alpha1", "TradingSystem", "momentum", "desk", "uid-1", 3)
OPERAND = OperandSettings(operator_namespace="trading-operator")
WORKLOADS = ("Deployment", "StatefulSet")


def make_spec(**fields: Any) -> TradingSystemSpec:
    """Parse a spec from its wire form; what serves is proven good at once, unless asked for."""
    return TradingSystemSpec.model_validate({"rollout": {"bakeTime": "0s"}, **fields})


def datastore(name: str = "db", engine: str = "PostgreSQL", **fields: Any) -> dict[str, Any]:
    """Return a datastore's wire form."""
    return {"name": name, "engine": engine, "storage": {"size": "1Gi"}, **fields}


def service(name: str, *needs: str, **fields: Any) -> dict[str, Any]:
    """Return a service's wire form; a name in `needs` that ends with ? is optional."""
    edges = [
        {"name": need.rstrip("?"), "required": not need.endswith("?"), "timeout": "30s"}
        for need in needs
    ]
    ports = [{"name": "http", "port": 8000}]
    return {"name": name, "image": "app:1", "ports": ports, "dependsOn": edges, **fields}


def plan_for(
    spec: TradingSystemSpec, observed: Observed | None = None, now: datetime = NOW
) -> Plan:
    """Plan a spec for the usual owner, in a cluster with room for it."""
    return plan_trading_system(OWNER, spec, with_room(observed or Observed()), now, OPERAND)


def with_room(observed: Observed) -> Observed:
    """Return what was observed with quotas and nodes that are known, and no limit."""
    return replace(observed, capacity=observed.capacity or Capacity())


def objects_of(plan: Plan, kind: str) -> dict[str, Manifest]:
    """Return the planned objects of a kind by name."""
    return {ref_of(m).name: m for m in plan.objects if m["kind"] == kind}


def container_of(plan: Plan, component: str) -> Manifest:
    """Return the container of a component's planned workload."""
    container: Manifest = template_of(plan, component)["spec"]["containers"][0]
    return container


def template_of(plan: Plan, component: str) -> Manifest:
    """Return the pod template of a component's planned workload."""
    name = f"{OWNER.name}-{component}"
    workloads = [m for kind in WORKLOADS for m in objects_of(plan, kind).values()]
    template: Manifest = next(
        m["spec"]["template"] for m in workloads if m["metadata"]["name"] == name
    )
    return template


def environment_of(plan: Plan, component: str) -> dict[str, Any]:
    """Return the environment of a component by variable name."""
    return {
        variable["name"]: variable.get("value", variable.get("valueFrom"))
        for variable in container_of(plan, component)["env"]
    }


@dataclass
class World:
    """What a cluster would make of plans; each component's pods are healthy or not."""

    children: dict[Ref, Manifest] = field(default_factory=dict)
    pods: dict[str, PodFacts] = field(default_factory=dict)
    secrets: dict[str, SecretFacts] = field(default_factory=dict)
    waiting_since: dict[str, str] = field(default_factory=dict)
    rollout: RolloutFacts = field(default_factory=RolloutFacts)
    written: list[Ref] = field(default_factory=list)

    def observe(self, **changes: Any) -> Observed:
        """Return what an operator would see."""
        seen = Observed(
            children=dict(self.children),
            pods=tuple(self.pods.values()),
            revisions=tuple(
                read_revision(live, pack_data(live["data"]))
                for ref, live in self.children.items()
                if ref.kind == "ControllerRevision"
            ),
            secrets=dict(self.secrets),
            waiting_since=dict(self.waiting_since),
            rollout=self.rollout,
            capacity=Capacity(),
        )
        return replace(seen, **changes)

    def apply(self, plan: Plan) -> Applied:
        """Write a plan."""
        self.written = []
        for manifest in (*plan.verdicts, *plan.objects):
            self._write(manifest)
        for ref in plan.prune:
            gone = self.children.pop(ref)
            if ref.kind in WORKLOADS:
                self.pods.pop(gone["metadata"]["labels"][COMPONENT], None)
        for name in plan.replace_pods:
            self.pods = {key: pod for key, pod in self.pods.items() if pod.name != name}
        for request in plan.generated_secrets:
            name = request.manifest["metadata"]["name"]
            keys = frozenset({"username", "password", *request.fields})
            labels = request.manifest["metadata"]["labels"]
            self.secrets[name] = SecretFacts(name, keys, "generated", labels)
        self.waiting_since = {
            c.name: c.waiting_since for c in plan.components if c.waiting_since is not None
        }
        self.rollout = _facts(plan)
        return Applied(plan, dict(self.children))

    def _write(self, manifest: Manifest) -> None:
        ref = ref_of(manifest)
        live = self.children.get(ref, {})
        manifest = {**manifest, "metadata": {"uid": f"uid-of-{ref.name}", **manifest["metadata"]}}
        if {**live, "status": None} == {**manifest, "status": None}:
            return
        self.written.append(ref)
        # The controllers have caught up at once.
        self.children[ref] = {**manifest, "status": {}}

    def run_pods(self, healthy: Callable[[str], bool] = lambda _: True) -> None:
        """Let the controllers and the kubelet do their part once."""
        for ref, live in self.children.items():
            if ref.kind in WORKLOADS:
                component = live["metadata"]["labels"][COMPONENT]
                if live["spec"]["replicas"] == 0:
                    self.pods.pop(component, None)
                    continue
                self.pods[component] = self._pod(ref, live, component, healthy(component))

    def _pod(self, ref: Ref, live: Manifest, component: str, ready: bool) -> PodFacts:
        revision = live["spec"]["template"]["metadata"]["annotations"][REVISION_ANNOTATION]
        before = self.pods.get(component)
        if ref.kind == "StatefulSet" and before is not None:
            revision = before.revision  # OnDelete: it stays until it is deleted
        # As its controller names it.
        name = f"{ref.name}-0" if ref.kind == "StatefulSet" else f"{ref.name}-5d9f-x2k4z"
        return make_pod(component, revision, ready=ready, name=name)

    def settle(self, spec: TradingSystemSpec, rounds: int = 40, **seen: Any) -> Plan:
        """Plan, apply and run healthy pods until nothing is written any more."""
        for _ in range(rounds):
            plan = plan_for(spec, self.observe(**seen))
            self.apply(plan)
            self.run_pods()
            if not self.written and not plan.replace_pods and not plan.prune:
                return plan
        raise AssertionError(f"not settled after {rounds} passes: {self.written}")


def _facts(plan: Plan) -> RolloutFacts:
    """Return what the next plan reads of the status of this one."""
    told = plan.rollout
    if told is None:
        return RolloutFacts(revision=plan.revision, handled=plan.handled)
    return RolloutFacts(
        phase=told.phase,
        revision=plan.revision,
        progressed_at=told.progressed_at or "",
        ready=told.ready or 0,
        baking_since=told.baking_since or "",
        handled=plan.handled,
    )


def make_pod(component: str, revision: str, ready: bool = True, **facts: Any) -> PodFacts:
    """Return the facts of a component's only pod."""
    usual: dict[str, Any] = {
        "name": f"{OWNER.name}-{component}-0",
        "phase": "Running",
        "deleting": False,
        "restarts": 0,
        "reason": "",
        "message": "",
        "started": ready,
    }
    return PodFacts(component=component, revision=revision, ready=ready, **(usual | facts))


def later(seconds: float) -> datetime:
    """Return a moment after NOW."""
    return NOW + timedelta(seconds=seconds)


@st.composite
def acyclic_specs(draw: st.DrawFn, most: int = 7) -> TradingSystemSpec:
    """Specs whose components depend on earlier ones alone, required or not."""
    names = [f"c{number}" for number in range(draw(st.integers(1, most)))]
    parts: list[dict[str, Any]] = []
    for at, name in enumerate(names):
        chosen = draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else []
        needs = [need + draw(st.sampled_from(["", "?"])) for need in chosen]
        workload = draw(st.sampled_from(["Replicated", "SingleWriter"]))
        parts.append(service(name, *needs, workload=workload))
    stores = draw(st.integers(0, len(parts) - 1))
    return make_spec(
        datastores=[_as_datastore(part) for part in parts[:stores]],
        services=draw(st.permutations(parts[stores:])),
    )


def _as_datastore(part: Mapping[str, Any]) -> dict[str, Any]:
    return datastore(part["name"], dependsOn=part["dependsOn"])


def component_names(manifests: Iterable[Manifest]) -> list[str]:
    """Return the components of workloads among manifests."""
    return [m["metadata"]["labels"][COMPONENT] for m in manifests if m["kind"] in WORKLOADS]
