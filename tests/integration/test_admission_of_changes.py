"""Which changes of a system the API server itself admits; nothing here needs an operator."""

from typing import Any

import pytest

from integration.admission import (
    Spec,
    build_service,
    build_store,
    build_system,
    build_web,
    read_refusal,
)
from integration.kube_client import Namespace


def _balanced(**fields: Any) -> Spec:
    return {"services": [build_web(exposure={"type": "LoadBalancer", **fields})]}


CHANGES: list[tuple[str, Spec, Spec, str, str]] = [
    (
        "another engine",
        {"datastores": [build_store()]},
        {"datastores": [build_store(engine="TimescaleDB")]},
        "spec.datastores[0].engine",
        "engine is immutable: add a new datastore and move the data",
    ),
    (
        "another user of a database",
        {"datastores": [build_store()]},
        {"datastores": [build_store(username="other")]},
        "spec.datastores[0].username",
        "username is set when the volume is first initialised: set it back, or add a new datastore",
    ),
    (
        "the default database instead of one of its own",
        {"datastores": [build_store("first"), build_store(database="own")]},
        {"datastores": [build_store(), build_store("first")]},
        "spec.datastores[0].database",
        "database is set when the volume is first initialised: set it back, or add a new datastore",
    ),
    (
        "another class of load balancers",
        _balanced(loadBalancerClass="example.com/a"),
        _balanced(loadBalancerClass="example.com/b"),
        "spec.services[0].exposure.loadBalancerClass",
        "loadBalancerClass cannot change while the type is LoadBalancer",
    ),
    (
        "a class of load balancers afterwards",
        _balanced(),
        _balanced(loadBalancerClass="example.com/b"),
        "spec.services[0].exposure.loadBalancerClass",
        "loadBalancerClass cannot change while the type is LoadBalancer",
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "field", "message"),
    [row[1:] for row in CHANGES],
    ids=[row[0] for row in CHANGES],
)
def test_a_change_that_cannot_be_made_is_refused(
    namespace: Namespace, before: Spec, after: Spec, field: str, message: str
) -> None:
    live = namespace.create("tradingsystems", build_system(before))
    fields, said = read_refusal(namespace, {**live, "spec": after}, "PUT")
    assert field in fields
    assert message in said


def test_a_class_of_load_balancers_may_come_and_go_with_the_type(namespace: Namespace) -> None:
    classed = _balanced(loadBalancerClass="example.com/a")
    for before, after in (
        ({"services": [build_web()]}, classed),
        (classed, {"services": [build_web()]}),
    ):
        live = namespace.create("tradingsystems", build_system(before))
        path = namespace.path("tradingsystems", "momentum")
        namespace.client.request("PUT", path, {**live, "spec": after}, dryRun="All")
        namespace.delete("tradingsystems", "momentum")


def test_as_many_pods_are_taken_by_hand_as_by_an_autoscaler(namespace: Namespace) -> None:
    for many in ({"replicas": 1000}, {"autoscaling": {"max": 1000, "cpu": 70}}):
        system = build_system({"services": [build_service(**many)]})
        path = namespace.path("tradingsystems", "")
        namespace.client.request("POST", path, system, dryRun="All")


def test_volumes_may_grow_and_components_may_come_and_go(namespace: Namespace) -> None:
    live = namespace.create("tradingsystems", build_system({"datastores": [build_store()]}))
    grown = {"datastores": [build_store("other"), build_store(storage={"size": "1.5Gi"})]}
    path = namespace.path("tradingsystems", "momentum")
    namespace.client.request("PUT", path, {**live, "spec": grown}, dryRun="All")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"storage": {"size": "3Gi"}}, {"storage": {"size": "1Gi"}}),
        ({}, {"username": "trading", "database": "trading"}),
        ({"engine": "Redis"}, {"engine": "Redis", "username": "other"}),
    ],
    ids=["growth that was refused is taken back", "a default is written down", "no user is made"],
)
def test_a_change_that_loses_nothing_is_admitted(
    namespace: Namespace, before: Spec, after: Spec
) -> None:
    live = namespace.create("tradingsystems", build_system({"datastores": [build_store(**before)]}))
    path = namespace.path("tradingsystems", "momentum")
    changed = {**live, "spec": {"datastores": [build_store(**after)]}}
    namespace.client.request("PUT", path, changed, dryRun="All")
