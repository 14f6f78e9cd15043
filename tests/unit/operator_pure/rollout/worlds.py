"""A small cluster in which changes go well or fail."""

from dataclasses import replace
from typing import Any

from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.observe.trading_system import trading_system_status
from trading_operator.plan.observed import PodFault
from trading_operator.plan.trading_system import plan_trading_system
from trading_operator.plan.types import Plan
from unit.operator_pure.systems import (
    OPERAND,
    OWNER,
    World,
    datastore,
    later,
    make_spec,
    service,
)

CRASH = PodFault("Error", "container main exited with 3 (Error): no broker", True, runs=True)
ABSENT = PodFault("ErrImagePull", "container main: app:2 not found", True)
BUSY = PodFault("ErrImagePull", "container main: 429 Too Many Requests", False)


def desk(version: str = "1", **more: Any) -> TradingSystemSpec:
    """A database, a feed and a strategy that needs both; `version` is that of the programs."""
    rollout = {"bakeTime": "60s", "progressDeadline": "5m", **more.pop("rollout", {})}
    return make_spec(
        datastores=[datastore()],
        services=[
            service("feed", "db", image=f"feed:{version}", **more),
            service("strategy", "feed", "db", image=f"strategy:{version}"),
        ],
        rollout=rollout,
    )


def moment(seconds: float) -> str:
    """Return a time of the world as a status writes it."""
    return later(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


class Desk:
    """A world with a clock, the commands that a person gave, and the status as it was written."""

    def __init__(self) -> None:
        self.world = World()
        self.seconds = 0.0
        self.commands: dict[str, str] = {}
        self.status: dict[str, Any] = {}

    def plan(self, spec: TradingSystemSpec, **seen: Any) -> Plan:
        """Plan a spec as it is now, and change nothing."""
        owner = replace(OWNER, commands=self.commands)
        observed = self.world.observe(**seen)
        return plan_trading_system(owner, spec, observed, later(self.seconds), OPERAND)

    def step(self, spec: TradingSystemSpec, seconds: float = 1.0, **seen: Any) -> Plan:
        """Plan, apply and report; the pods have not moved yet."""
        self.seconds += seconds
        plan = self.plan(spec, **seen)
        applied = self.world.apply(plan)
        observed = self.world.observe(**seen)
        now = later(self.seconds)
        self.status = trading_system_status(applied, spec, observed, self.status, now)
        told = self.status.get("rollout", {})
        asked, since = told.get("revision", ""), told.get("since", "")
        self.world.rollout = replace(self.world.rollout, asked=asked, since=since)
        return plan

    def run(self, spec: TradingSystemSpec, seconds: float = 120.0, **seen: Any) -> Plan:
        """Let time go by with healthy pods."""
        for _ in range(int(seconds // 5)):
            plan = self.step(spec, 5.0, **seen)
            self.world.run_pods()
        return plan

    def settle(self, spec: TradingSystemSpec) -> Plan:
        """Bring a spec up and let it be proven good."""
        plan = self.run(spec, 200)
        assert plan.rollout is not None
        assert plan.rollout.phase == "Proven", plan.rollout
        return plan

    def begin(self, spec: TradingSystemSpec, component: str) -> str:
        """Carry a change on until a component runs it; returns its revision."""
        before = self.world.pods[component].revision
        for _ in range(20):
            self.step(spec)
            self.world.run_pods()
            revision = self.world.pods[component].revision
            if revision != before:
                return revision
        raise AssertionError(f"{component} never changed")

    def break_pod(self, component: str, fault: PodFault | None = CRASH, **facts: Any) -> None:
        """Let a component's pod fail."""
        pod = self.world.pods[component]
        self.world.pods[component] = replace(pod, ready=False, fault=fault, **facts)

    def images(self) -> dict[str, str]:
        """Return the images that the workloads run, by component."""
        found = {}
        for ref, live in self.world.children.items():
            if ref.kind in ("Deployment", "StatefulSet"):
                name = ref.name.removeprefix(f"{OWNER.name}-")
                found[name] = live["spec"]["template"]["spec"]["containers"][0]["image"]
        return found

    def outcomes(self) -> dict[int, str]:
        """Return what became of the revisions, by number."""
        return {each.number: each.state.outcome for each in self.world.observe().revisions}

    def condition(self, kind: str) -> dict[str, Any]:
        """Return a condition of the status."""
        return next(each for each in self.status["conditions"] if each["type"] == kind)
