"""The operator: a bad change of a trading system, and what it wrote after the kubelet's word."""

import time
from typing import Any

from bench.audit import Request
from bench.errors import BenchError
from bench.rollback.arithmetic import describe_since, find_first_after, find_last_before
from bench.rollback.change import Course
from bench.rollback.failures import GOOD, Version
from bench.rollback.node import KUBELET, OPERATOR, Node, make_place
from bench.rollback.objects import SYSTEM, WORKLOAD, Object, build_system
from bench.rollback.records import Reaction, Record
from bench.rollback.reports import Report
from bench.subjects import OURS

NAMESPACE = "bench-rollback"
READY_SECONDS = 120.0
LOOK_SECONDS = 0.3
_SYSTEM = f"/apis/tradingoperator.io/v1alpha1/namespaces/{NAMESPACE}/tradingsystems/{SYSTEM}"
_APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"


class Ours:
    """A trading system with one service."""

    name = OURS
    service = WORKLOAD
    patience = 150.0
    has_status = True

    def __init__(self, node: Node, bake_seconds: int) -> None:
        self.place = make_place(node, NAMESPACE)
        self._bake_seconds = bake_seconds
        self._kubelet = node.audit(KUBELET)
        self._operator = node.audit(OPERATOR)
        self.mend()

    def change(self, version: Version) -> None:
        """Apply the system of a version."""
        self.place.node.apply(NAMESPACE, build_system(version, self._bake_seconds))

    def has_ended(self) -> bool:
        """Tell that `kubectl apply` waits for nothing."""
        return True

    def told(self) -> str:
        """Return what the status says of the change."""
        status = self._read_status()
        rollout = status.get("rollout") or {}
        return f"{rollout.get('phase', '')}: {rollout.get('message', '')}"

    def mend(self) -> None:
        """Apply the good version and wait until it is the one that is proven."""
        self.change(GOOD)
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_proven():
            if time.monotonic() > deadline:
                raise BenchError(f"the good version is not proven: {self._read_status()}")
            time.sleep(LOOK_SECONDS)

    def read_objects(self) -> tuple[Object, Object]:
        """Return the live Deployment and Service of the good version."""
        client = self.place.node.client
        service = client.get(f"/api/v1/namespaces/{NAMESPACE}/services/{WORKLOAD}")
        return client.get(f"{_APPS}/deployments/{WORKLOAD}"), service

    def find_reaction(self, course: Course) -> Reaction:
        """Return who wrote what when, from the audit log and the bench's own watch."""
        reports = course.find_reports()
        deciding = next((each for each in reports if each.decides), None)
        if deciding is None:
            raise BenchError(f"{course.failure.kind}: the kubelet never said that it fails")
        kubelet, operator = self._kubelet.read(), self._operator.read()
        return build_reaction(reports[0], deciding, kubelet, operator)

    def describe_requests(self, record: Record) -> list[str]:
        """Return what the operator asked of the API server from the change on."""
        return describe_since(self._operator.read(), record.applied, record.observed)

    def _is_proven(self) -> bool:
        generation, status = self._read_generation(), self._read_status()
        ready = any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in status.get("conditions") or ()
        )
        phase = (status.get("rollout") or {}).get("phase")
        return ready and phase == "Proven" and status.get("observedGeneration") == generation

    def _read_generation(self) -> int:
        return int(self.place.node.client.get(_SYSTEM)["metadata"]["generation"])

    def _read_status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.place.node.client.get(_SYSTEM).get("status") or {}
        return status


def build_reaction(
    first: Report, deciding: Report, kubelet: list[Request], operator: list[Request]
) -> Reaction:
    """Build the record of a reaction from the reports and the requests of both."""
    said, decided = _written(kubelet, first), _written(kubelet, deciding)
    rollback = find_first_after(operator, "deployments", WORKLOAD, said.received)
    if rollback is None:
        raise BenchError("the operator has not touched the workload after the failure")
    verdict = find_first_after(operator, "controllerrevisions", f"{SYSTEM}-", said.received)
    return Reaction(
        first=said.done,
        first_words=first.words,
        decided=decided.done,
        decided_words=deciding.words,
        verdict=None if verdict is None else verdict.done,
        rollback_received=rollback.received,
        rollback=rollback.done,
        first_seen=first.seen,
        decided_seen=deciding.seen,
    )


def _written(kubelet: list[Request], report: Report) -> Request:
    found = find_last_before(kubelet, report.resource, report.name, report.seen)
    if found is None:
        raise BenchError(f"the audit log has no write of {report.resource}/{report.name}")
    return found
