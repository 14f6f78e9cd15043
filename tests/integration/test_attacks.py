"""A resource cannot make the operator act beyond its namespace or its rights."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from cluster.api import ClusterHandle
from integration.attack_cases import ATTACKS
from integration.attacks import Attack, Manifest
from integration.audit import Request
from integration.kube_client import KubeClient, Namespace, eventually
from integration.operator_process import (
    Operators,
    grant_rights,
    revoke_cluster_rights,
    write_kubeconfig,
)


@dataclass
class Arena:
    """One namespace and one operator for all attacks, after all of them were tried."""

    space: Namespace
    operators: Operators
    refusals: dict[str, list[str]] = field(default_factory=dict)  # by title
    before: dict[tuple[str, str], Manifest] = field(default_factory=dict)  # of somebody else

    def attack(self, attack: Attack) -> None:
        """Make what was there before, and then the systems."""
        for kind, manifest in attack.theirs:
            made = self.space.create(kind, manifest)
            self.before[kind, made["metadata"]["name"]] = made
        refusals = [self._apply(system, attack.validation) for system in attack.systems]
        self.refusals[attack.title] = [text for text in refusals if text]

    def _apply(self, system: Manifest, validation: str) -> str:
        path = self.space.path("tradingsystems")
        try:
            self.space.client.request("POST", path, system, fieldValidation=validation)
        except httpx.HTTPStatusError as error:
            return error.response.text
        return ""

    def stalled(self, system: str) -> Manifest:
        """Return the condition of a system that a person must mend."""
        condition = self.space.condition(system, "Stalled")
        return condition if condition.get("status") == "True" else {}

    def requests(self) -> list[Request]:
        """Return everything that the operator asked for."""
        return self.operators.audit.requests()


@pytest.fixture(scope="module")
def arena(
    client: KubeClient, control_plane: ClusterHandle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arena]:
    """All attacks, tried at once on one operator."""
    folder = tmp_path_factory.mktemp("attacks")
    with client.new_namespace("attacks") as space:
        grant_rights(space, control_plane.bin_dir / "helm")
        kubeconfig = write_kubeconfig(space, folder / "operator.kubeconfig")
        made = Arena(space, Operators(space, kubeconfig, folder, control_plane.audit_log))
        try:
            made.operators.start_leading()
            for attack in ATTACKS:
                made.attack(attack)
            _end_all(made)
            yield made
        finally:
            made.operators.describe(sys.stderr)
            made.operators.stop_all()
            revoke_cluster_rights(space)


def _end_all(arena: Arena) -> None:
    """Wait until every system is as it will stay, then forge, and wait again."""
    systems = [s["metadata"]["name"] for s in arena.space.list("tradingsystems")]
    for name in systems:
        _wait(partial(_has_ended, arena, name))
    for attack in ATTACKS:
        if attack.forge is not None:
            attack.forge(arena.space)
    arena.operators.settle(2.0)


def _has_ended(arena: Arena, name: str) -> bool:
    return arena.space.is_ready(name) or bool(arena.stalled(name))


def _wait(ended: "partial[bool]", seconds: float = 40.0) -> None:
    # What never ends is told by the attack's own test.
    end = time.monotonic() + seconds
    while not ended() and time.monotonic() < end:
        time.sleep(0.1)


def test_there_are_many_and_each_is_its_own() -> None:
    assert len(ATTACKS) >= 20
    assert len({attack.title for attack in ATTACKS}) == len(ATTACKS)
    names = [s["metadata"]["name"] for attack in ATTACKS for s in attack.systems]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.title)
def test_an_attack_is_refused_or_told_or_does_no_harm(attack: Attack, arena: Arena) -> None:
    refusals = arena.refusals[attack.title]
    if attack.refused:
        assert len(refusals) == len(attack.systems)
        assert all(attack.refused in text for text in refusals), refusals
        return
    assert refusals == []
    for system in attack.systems:
        _check_end(attack, arena, system["metadata"]["name"])
    for kind, manifest in attack.theirs:
        _check_untouched(arena, kind, manifest["metadata"]["name"])
    if attack.proof is not None:
        attack.proof(arena.space)


def _check_end(attack: Attack, arena: Arena, name: str) -> None:
    live = arena.space.get("tradingsystems", name)
    if attack.stalled == "either" or "deletionTimestamp" in live["metadata"]:
        return  # the attack's own proof tells
    if attack.stalled:
        stalled = eventually(partial(arena.stalled, name), 5)
        assert (stalled["reason"], attack.told in stalled["message"]) == (attack.stalled, True), (
            stalled
        )
    else:
        eventually(partial(arena.space.is_ready, name))


def _check_untouched(arena: Arena, kind: str, name: str) -> None:
    before, now = arena.before[kind, name], arena.space.get(kind, name)
    assert now is not None
    assert "deletionTimestamp" not in now["metadata"]
    for part in ("uid", "labels", "ownerReferences"):
        assert now["metadata"].get(part) == before["metadata"].get(part)
    for part in ("data", "spec"):
        assert (part == "spec" and kind == "persistentvolumeclaims") or (
            now.get(part) == before.get(part)
        )
    managers = {entry["manager"] for entry in now["metadata"]["managedFields"]}
    assert "trading-operator" not in managers


def test_every_write_was_in_its_own_namespace_and_on_what_it_made(arena: Arena) -> None:
    requests = [request for request in arena.requests() if request.writes]
    assert len(requests) > 100
    assert {request.namespace for request in requests} == {arena.space.name}
    made = {(r.resource, r.name) for r in requests if r.verb == "create" and r.code == 201}
    pods = {name for kind, name in made if kind in {"apps/statefulsets", "apps/deployments"}}
    strange = [r for r in requests if r.verb != "create" and not _is_own(r, made, pods)]
    assert strange == []
    assert [request for request in requests if request.code == 403] == []


def _is_own(request: Request, made: set[tuple[str, str]], workloads: set[str]) -> bool:
    if request.resource.startswith("tradingoperator.io/"):
        return True  # its status, and its own finalizer
    if request.resource == "/pods":
        return request.name.rsplit("-", 1)[0] in workloads
    return (request.resource, request.name) in made


def test_no_secret_but_those_that_systems_name_was_read(arena: Arena) -> None:
    read = {r.name for r in arena.requests() if r.resource == "/secrets" and r.verb == "get"}
    systems = json.dumps([attack.systems for attack in ATTACKS])
    assert {name for name in read if f'"{name}"' not in systems} == {
        name for name in read if name.endswith("-credentials")
    }


def test_no_attack_broke_a_pass(arena: Arena) -> None:
    log = Path(arena.operators.running[0].log).read_text()
    assert "Traceback" not in log
    told = {
        (system["metadata"]["name"], condition["reason"])
        for system in arena.space.list("tradingsystems")
        for condition in system["status"]["conditions"]
    }
    assert not [each for each in told if each[1] in {"InternalError", "Retrying"}]
