"""A template that comes from the cluster is used only within what the operator builds."""

import copy
from collections.abc import Callable

import pytest

from trading_operator.manifests.pod_bounds import is_within_bounds
from trading_operator.plan.types import Manifest, Observed, SecretFacts
from unit.operator_pure.systems import datastore, make_spec, plan_for, service, template_of

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


TOKEN = {"serviceAccountToken": {"path": "token"}}
BEYOND: list[tuple[str, Change]] = [
    ("the host's network", lambda spec: spec.update(hostNetwork=True)),
    ("an account", lambda spec: spec.update(serviceAccountName="trading-operator")),
    ("a token", lambda spec: spec.update(automountServiceAccountToken=True)),
    ("no word on tokens", lambda spec: spec.pop("automountServiceAccountToken")),
    ("a host's folder", lambda spec: spec["volumes"].append({"name": "h", "hostPath": {}})),
    (
        "a token among projected files",
        lambda spec: spec["volumes"].append({"name": "t", "projected": {"sources": [TOKEN]}}),
    ),
    ("another program first", lambda spec: spec.update(initContainers=[{}])),
    ("root", lambda spec: spec["securityContext"].update(runAsUser=0)),
    ("no profile", lambda spec: spec["securityContext"].pop("seccompProfile")),
    ("no security", lambda spec: spec.pop("securityContext")),
    (
        "a privileged container",
        lambda spec: _container(spec)["securityContext"].update(privileged=1),
    ),
    ("a port of the host", lambda spec: _container(spec)["ports"][0].update(hostPort=22)),
    ("no containers", lambda spec: spec.pop("containers")),
    ("another form", lambda spec: spec.update(containers="none")),
]


@pytest.mark.parametrize(("what", "change"), BEYOND)
def test_what_the_operator_never_builds_is_beyond(what: str, change: Change) -> None:
    forged = template()
    change(forged["spec"])
    assert not is_within_bounds(forged), what
