"""A template that comes from the cluster is used only within what the operator builds."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from integration.full_system import build_full_system, fields_that_are_not_set
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.pod_bounds import is_within_bounds
from trading_operator.plan.draft import System
from trading_operator.plan.drafts import plan_drafts
from trading_operator.plan.observed import Observed, SecretFacts
from trading_operator.plan.types import Manifest
from unit.operator_pure.systems import (
    OPERAND,
    OWNER,
    WORKLOADS,
    World,
    acyclic_specs,
    datastore,
    make_spec,
    plan_for,
    service,
    template_of,
)

Change = Callable[[Manifest], object]
BROKER = SecretFacts("broker", frozenset({"key"}), "digest")
KNOWN = Observed(secrets={"broker": BROKER}, config_maps=frozenset({"settings"}))


def template(component: str = "app") -> Manifest:
    """Return a template that the operator built."""
    variable = {"name": "K", "secretKeyRef": {"name": "broker", "key": "key"}}
    spec = make_spec(
        volumes=[{"name": "models", "size": "1Gi"}],
        configs=[{"name": "settings", "configMapRef": "settings"}],
        datastores=[datastore(), datastore("cache", engine="Redis")],
        services=[
            service(
                "app",
                env=[variable],
                volumes=[{"name": "models", "mountPath": "/m"}],
                configs=[{"name": "settings", "mountPath": "/c"}],
                writablePaths=["/w"],
                health={"path": "/health"},
            ),
        ],
    )
    return copy.deepcopy(template_of(plan_for(spec, KNOWN), component))


@pytest.mark.parametrize("component", ["app", "db", "cache"])
def test_what_the_operator_builds_is_within(component: str) -> None:
    assert is_within_bounds(template(component))


def _container(spec: Manifest) -> Manifest:
    container: Manifest = spec["containers"][0]
    return container


def _also(where: str, **fields: object) -> Change:
    return lambda spec: spec.setdefault(where, {}).update(fields)


def _on_container(**fields: object) -> Change:
    return lambda spec: _container(spec).update(fields)


TOKEN = {"serviceAccountToken": {"path": "token"}}
SYSCTL = [{"name": "net.ipv4.ip_forward", "value": "1"}]
BEYOND: list[tuple[str, Change]] = [
    ("the host's network", lambda spec: spec.update(hostNetwork=True)),
    ("the host's processes", lambda spec: spec.update(hostPID=True)),
    ("an account", lambda spec: spec.update(serviceAccountName="trading-operator")),
    ("a token", lambda spec: spec.update(automountServiceAccountToken=True)),
    ("no word on tokens", lambda spec: spec.pop("automountServiceAccountToken")),
    ("every address of the namespace", lambda spec: spec.update(enableServiceLinks=True)),
    ("a node", lambda spec: spec.update(nodeName="control-plane")),
    ("another runtime", lambda spec: spec.update(runtimeClassName="gvisor")),
    ("another scheduler", lambda spec: spec.update(schedulerName="theirs")),
    ("other name servers", lambda spec: spec.update(dnsConfig={"nameservers": ["1.1.1.1"]})),
    ("another name resolution", lambda spec: spec.update(dnsPolicy="Default")),
    ("names of its own", lambda spec: spec.update(hostAliases=[{"ip": "1.1.1.1"}])),
    ("a shared process space", lambda spec: spec.update(shareProcessNamespace=True)),
    ("a host's folder", lambda spec: spec["volumes"].append({"name": "h", "hostPath": {}})),
    ("a volume of two kinds", lambda spec: spec["volumes"][0].update(hostPath={"path": "/"})),
    (
        "a token among projected files",
        lambda spec: spec["volumes"].append({"name": "t", "projected": {"sources": [TOKEN]}}),
    ),
    ("another program first", lambda spec: spec.update(initContainers=[{}])),
    ("another program beside", lambda spec: spec["containers"].append(_container(spec))),
    ("a program to look into it", lambda spec: spec.update(ephemeralContainers=[{}])),
    ("no program", lambda spec: spec.update(containers=[])),
    ("a program of another name", _on_container(name="theirs")),
    ("a program at the start", _on_container(lifecycle={"postStart": {}})),
    ("variables of a whole Secret", _on_container(envFrom=[{"secretRef": {"name": "s"}}])),
    ("a device", _on_container(volumeDevices=[{"name": "data", "devicePath": "/dev/sda"}])),
    ("a terminal", _on_container(stdin=True)),
    ("a check of another host", lambda spec: _probe(spec).update(host="169.254.169.254")),
    ("a check of two kinds", lambda spec: _container(spec)["readinessProbe"].update(grpc={})),
    ("root", _also("securityContext", runAsUser=0)),
    ("the group of root", _also("securityContext", runAsGroup=0)),
    ("volumes of the group of root", _also("securityContext", fsGroup=0)),
    ("yes as a number", _also("securityContext", runAsUser=True)),
    ("further groups", _also("securityContext", supplementalGroups=[0])),
    ("settings of the kernel", _also("securityContext", sysctls=SYSCTL)),
    ("no profile", lambda spec: spec["securityContext"].pop("seccompProfile")),
    ("no security", lambda spec: spec.pop("securityContext")),
    (
        "a privileged container",
        lambda spec: _container(spec)["securityContext"].update(privileged=1),
    ),
    ("a port of the host", lambda spec: _container(spec)["ports"][0].update(hostPort=22)),
    ("pods that it keeps away", lambda spec: spec.update(affinity={"podAntiAffinity": {}})),
    ("no containers", lambda spec: spec.pop("containers")),
    ("another form", lambda spec: spec.update(containers="none")),
]


def _probe(spec: Manifest) -> Manifest:
    probe: Manifest = _container(spec)["readinessProbe"]["httpGet"]
    return probe


@pytest.mark.parametrize(("what", "change"), BEYOND, ids=[row[0] for row in BEYOND])
def test_what_the_operator_never_builds_is_beyond(what: str, change: Change) -> None:
    forged = template()
    change(forged["spec"])
    assert not is_within_bounds(forged), what


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"tradingoperator.io/role": "job"}},
        {"annotations": {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"}},
        {"finalizers": ["example.com/theirs"]},
        {"name": "theirs"},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a_template_tells_of_itself_only_what_the_operator_writes(metadata: Manifest) -> None:
    forged = template()
    for field, value in metadata.items():
        known = forged["metadata"].get(field)
        forged["metadata"][field] = {**known, **value} if isinstance(known, dict) else value
    assert not is_within_bounds(forged)


def test_everything_that_the_api_can_ask_for_is_within() -> None:
    system = build_full_system("full")
    assert fields_that_are_not_set(system["spec"]) == set()
    secrets = {"broker": SecretFacts("broker", frozenset({"key", "password", "tls.crt"}), "d")}
    seen = Observed(secrets=secrets, config_maps=frozenset({"notes"}))
    spec = TradingSystemSpec.model_validate(system["spec"])
    owner = replace(OWNER, name="full")
    drafts = plan_drafts(System(owner, spec, seen, OPERAND))
    assert len(drafts) == len(spec.components)
    for draft in drafts.values():
        assert is_within_bounds(draft.workload["spec"]["template"]), draft.name


@settings(max_examples=60, deadline=None)
@given(acyclic_specs())
def test_every_template_of_a_plan_is_within(spec: TradingSystemSpec) -> None:
    for manifest in plan_for(spec).objects:
        if manifest["kind"] in WORKLOADS:
            assert is_within_bounds(manifest["spec"]["template"])


def test_a_forged_rendering_is_not_used() -> None:
    world = World()
    spec = make_spec(services=[service("app")])
    settled = world.settle(spec)
    ref = next(ref for ref in world.children if ref.kind == "ControllerRevision")
    live = copy.deepcopy(world.children[ref])
    live["data"]["components"]["app"]["template"]["spec"]["nodeName"] = "control-plane"
    world.children[ref] = live
    assert template_of(plan_for(spec, world.observe()), "app") == template_of(settled, "app")
