"""Autoscaling, drains, placement and shared volumes as objects, and what of them is refused."""

from datetime import timedelta
from typing import Any

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.manifests.metadata import RENDERING_ANNOTATION, REVISION_ANNOTATION
from trading_operator.manifests.placement import SAME_NODE_LABEL
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Manifest
from unit.operator_pure.plan.plans_of_service import plan_service, refused, the_only
from unit.operator_pure.systems import (
    NOW,
    World,
    datastore,
    later,
    make_pod,
    make_spec,
    objects_of,
    plan_for,
    service,
    template_of,
)

REQUESTS = {"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
AUTOSCALER = Ref("HorizontalPodAutoscaler", "momentum-app")


def _scaled(**fields: Any) -> dict[str, Any]:
    return {"autoscaling": {"min": 3, "max": 10, "cpu": 70} | fields, **REQUESTS}


@pytest.mark.acceptance("B35", "B43")
def test_an_autoscaler_has_the_bounds_and_targets_of_the_spec() -> None:
    external = [
        {"metric": "queue", "selector": {"matchLabels": {"q": "a"}}, "averageValue": "30"},
        {"metric": "lag", "value": "0.5"},
    ]
    plan = plan_service(**_scaled(memory=80, external=external, scaleDownStabilization="90s"))
    spec = the_only(plan, "HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"]["name"] == "momentum-app"
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 10)
    assert spec["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 90}}
    utilization = [m["resource"] for m in spec["metrics"] if m["type"] == "Resource"]
    assert [(m["name"], m["target"]["averageUtilization"]) for m in utilization] == [
        ("cpu", 70),
        ("memory", 80),
    ]
    targets = [m["external"]["target"] for m in spec["metrics"] if m["type"] == "External"]
    assert targets == [
        {"type": "AverageValue", "averageValue": "30"},
        {"type": "Value", "value": "500m"},
    ]


def _live_count(world: World, count: int) -> None:
    ref = Ref("Deployment", "momentum-app")
    live = world.children[ref]
    world.children[ref] = {**live, "spec": {**live["spec"], "replicas": count}}


@pytest.mark.acceptance("B35")
def test_what_an_autoscaler_did_is_planned_and_changes_nothing_else() -> None:
    spec, world = make_spec(services=[service("app", **_scaled(min=1))]), World()
    first = world.settle(spec)
    _live_count(world, 7)
    plan = plan_for(spec, world.observe())
    before, after = the_only(first, "Deployment"), the_only(plan, "Deployment")
    assert (before["spec"]["replicas"], after["spec"]["replicas"]) == (1, 7)
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert RENDERING_ANNOTATION in after["metadata"]["annotations"]
    assert plan.revision == first.revision
    assert [c.desired for c in plan.components] == [7]


def test_a_service_that_was_scaled_to_nothing_by_hand_is_raised_again() -> None:
    spec, world = make_spec(services=[service("app", **_scaled())]), World()
    world.apply(plan_for(spec))
    _live_count(world, 0)
    assert the_only(plan_for(spec, world.observe()), "Deployment")["spec"]["replicas"] == 3


def _enough(revisions: list[str]) -> int | None:
    spec, world = make_spec(services=[service("app", **_scaled(min=2))]), World()
    current = plan_for(spec)
    world.apply(current)
    _live_count(world, 5)
    now = current.components[0].revision
    pods = tuple(
        make_pod("app", revision or now, name=f"momentum-app-{at}")
        for at, revision in enumerate(revisions)
    )
    (component,) = plan_for(spec, world.observe(pods=pods)).components
    return component.enough


def test_the_fewest_pods_suffice_unless_the_service_is_being_changed() -> None:
    assert _enough(["", ""]) == 2
    assert _enough(["", "", "old"]) == 5


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({**_scaled(), "replicas": 2}, "services[0].replicas"),
        ({**_scaled(), "workload": "SingleWriter"}, "services[0].autoscaling"),
        (_scaled(max=2), "services[0].autoscaling.max"),
        ({"autoscaling": {"max": 2}}, "services[0].autoscaling"),
        (
            {"autoscaling": {"max": 2, "cpu": 50}},
            "services[0].resources.requests.cpu",
        ),
        (
            {"autoscaling": {"max": 2, "memory": 50}},
            "services[0].resources.requests.memory",
        ),
        (
            _scaled(external=[{"metric": "q", "value": "0"}]),
            "services[0].autoscaling.external[0]",
        ),
        (_scaled(external=[{"metric": "q"}]), "services[0].autoscaling.external[0]"),
        (_scaled(scaleDownStabilization="2h"), "services[0].autoscaling.scaleDownStabilization"),
    ],
)
def test_an_autoscaling_that_cannot_work_is_refused_with_its_field(
    fields: dict[str, Any], path: str
) -> None:
    error = refused(**fields)
    assert error.path == path
    assert error.mend


def test_a_limit_without_a_request_is_the_request() -> None:
    limits: dict[str, Any] = {"resources": {"limits": {"cpu": "1"}}}
    assert objects_of(plan_service(autoscaling={"max": 2, "cpu": 50}, **limits), AUTOSCALER.kind)


def _complaining(since: str) -> Manifest:
    condition = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetResourceMetric",
        "message": "no metrics",
        "lastTransitionTime": since,
    }
    return {"status": {"conditions": [condition]}}


def test_an_autoscaler_is_reported_only_once_it_has_complained_for_long() -> None:
    spec, world = make_spec(services=[service("app", **_scaled())]), World()
    world.apply(plan_for(spec))
    world.children[AUTOSCALER] |= _complaining(NOW.strftime("%Y-%m-%dT%H:%M:%SZ"))
    early = plan_for(spec, world.observe(), later(10))
    assert early.components[0].notes == ()
    assert early.requeue_after == timedelta(seconds=50)
    late = plan_for(spec, world.observe(), later(61))
    assert [note.reason for note in late.components[0].notes] == ["AutoscalerFailing"]


@pytest.mark.acceptance("B58")
@pytest.mark.parametrize(
    ("fields", "budget"),
    [
        ({"replicas": 2}, {"maxUnavailable": 1}),
        (_scaled(min=1), {"maxUnavailable": 1}),
        ({"replicas": 1}, None),
        ({"workload": "SingleWriter"}, None),
        (
            {"workload": "SingleWriter", "disruptionBudget": {"minAvailable": 1}},
            {"minAvailable": 1},
        ),
        ({"replicas": 4, "disruptionBudget": {"maxUnavailable": "50%"}}, {"maxUnavailable": "50%"}),
        (
            {"replicas": 2, "volumes": [{"name": "shared", "mountPath": "/shared"}]},
            None,
        ),
    ],
)
def test_several_pods_have_a_disruption_budget_by_themselves(
    fields: dict[str, Any], budget: dict[str, Any] | None
) -> None:
    plan = plan_service(
        ({"name": "shared", "size": "1Gi", "accessMode": "ReadWriteOnce"},), **fields
    )
    made = list(objects_of(plan, "PodDisruptionBudget").values())
    assert len(made) == (0 if budget is None else 1)
    for manifest in made:
        assert budget is not None
        assert manifest["spec"].items() >= budget.items()
        assert manifest["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_a_datastore_may_ask_not_to_be_drained() -> None:
    spec = make_spec(datastores=[datastore("db", disruptionBudget={"minAvailable": 1})])
    assert the_only(plan_for(spec), "PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert not objects_of(plan_for(make_spec(datastores=[datastore("db")])), "PodDisruptionBudget")


def test_a_disruption_budget_has_one_bound() -> None:
    assert refused(disruptionBudget={}).path == "services[0].disruptionBudget"


def _scheduling(**fields: Any) -> Manifest:
    pod: Manifest = template_of(plan_service(**fields), "app")["spec"]
    return pod


def test_pods_go_where_the_spec_says() -> None:
    pod = _scheduling(
        scheduling={
            "nodeSelector": {"disk": "fast"},
            "tolerations": [
                {"key": "desk", "value": "fx", "effect": "NoExecute", "tolerationSeconds": 5}
            ],
            "priorityClassName": "trading",
            "topologySpread": [
                {"key": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
            ],
        }
    )
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert pod["priorityClassName"] == "trading"
    assert pod["tolerations"] == [
        {
            "key": "desk",
            "operator": "Equal",
            "value": "fx",
            "effect": "NoExecute",
            "tolerationSeconds": 5,
        }
    ]
    (spread,) = pod["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["maxSkew"], spread["whenUnsatisfiable"]) == (
        "topology.kubernetes.io/zone",
        1,
        "DoNotSchedule",
    )


def test_pods_are_spread_over_nodes_and_a_second_one_replaces_none() -> None:
    one, two = (template_of(plan_service(replicas=count), "app") for count in (1, 2))
    assert one == two
    (spread,) = one["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == (
        "kubernetes.io/hostname",
        "ScheduleAnyway",
    )
    assert "topologySpreadConstraints" not in _scheduling(scheduling={"topologySpread": []})


@pytest.mark.acceptance("B45", "C69")
def test_a_change_of_anything_around_the_pods_leaves_the_pods_alone() -> None:
    plain = template_of(plan_service(), "app")["metadata"]["annotations"][REVISION_ANNOTATION]
    around: list[dict[str, Any]] = [
        {"replicas": 4},
        {"autoscaling": {"max": 3, "external": [{"metric": "q", "value": 1}]}},
        {"exposure": {"type": "LoadBalancer"}},
        {"ingress": {"hosts": [{"host": "a.example"}]}},
        {"disruptionBudget": {"minAvailable": 0}},
    ]
    for fields in around:
        template = template_of(plan_service(**fields), "app")
        assert template["metadata"]["annotations"][REVISION_ANNOTATION] == plain


def _volume(name: str, mode: str = "ReadWriteOnce") -> dict[str, Any]:
    return {"name": name, "size": "1Gi", "accessMode": mode}


def _user(name: str, *volumes: str, **fields: Any) -> dict[str, Any]:
    mounts = [{"name": volume, "mountPath": f"/{volume}"} for volume in volumes]
    return service(name, volumes=mounts, **fields)


@pytest.mark.acceptance("B36")
def test_who_shares_a_volume_of_one_node_shares_the_node_also_by_way_of_others() -> None:
    spec = make_spec(
        volumes=[_volume("one"), _volume("two"), _volume("many", "ReadWriteMany")],
        services=[
            _user("a", "two", "many"),
            _user("b", "one", "two", workload="SingleWriter"),
            _user("c", "one"),
            _user("d", "many"),
        ],
    )
    plan = plan_for(spec)
    templates = {name: template_of(plan, name) for name in "abcd"}
    labels = {name: each["metadata"]["labels"] for name, each in templates.items()}
    assert [labels[name].get(SAME_NODE_LABEL) for name in "abcd"] == ["one", "one", "one", None]
    for name in "abc":
        affinity = templates[name]["spec"]["affinity"]["podAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        # A pod must match its own term, or the first one could never start.
        assert term["labelSelector"]["matchLabels"].items() <= labels[name].items()
    assert "affinity" not in templates["d"]["spec"]


@pytest.mark.parametrize(
    ("fields", "surges"),
    [
        ({}, True),
        ({"gpu": {"count": 1}}, False),
        ({"volumes": [{"name": "one", "mountPath": "/one"}]}, False),
        ({"volumes": [{"name": "pod", "mountPath": "/pod"}]}, False),
        ({"volumes": [{"name": "many", "mountPath": "/many"}]}, True),
    ],
)
def test_a_pod_that_holds_what_its_successor_needs_goes_first(
    fields: dict[str, Any], surges: bool
) -> None:
    volumes = (
        _volume("one"),
        _volume("many", "ReadWriteMany"),
        _volume("pod", "ReadWriteOncePod"),
    )
    rolling = the_only(plan_service(volumes, **fields), "Deployment")["spec"]["strategy"][
        "rollingUpdate"
    ]
    assert rolling["maxUnavailable"] == (0 if surges else 1)
    assert bool(rolling["maxSurge"]) is surges


@pytest.mark.parametrize(
    ("mode", "fields", "path"),
    [
        ("ReadWriteOncePod", {"replicas": 2}, "services[0].volumes[0]"),
        ("ReadWriteOncePod", _scaled(), "services[0].volumes[0]"),
        ("ReadOnlyMany", {}, "services[0].volumes[0].readOnly"),
        (
            "ReadWriteOnce",
            {
                "replicas": 2,
                "scheduling": {
                    "topologySpread": [
                        {"key": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
                    ]
                },
            },
            "services[0].scheduling.topologySpread[0]",
        ),
    ],
)
def test_a_volume_that_cannot_be_shared_so_is_refused(
    mode: str, fields: dict[str, Any], path: str
) -> None:
    mount = [{"name": "shared", "mountPath": "/shared"}]
    error = refused((_volume("shared", mode),), volumes=mount, **fields)
    assert error.path == path
    assert error.mend


def test_services_of_one_volume_cannot_ask_for_different_nodes() -> None:
    spec = make_spec(
        volumes=[_volume("shared")],
        services=[
            _user("a", "shared", scheduling={"nodeSelector": {"zone": "1"}}),
            _user("b", "shared", scheduling={"nodeSelector": {"zone": "2"}}),
        ],
    )
    with pytest.raises(InvalidSpecError, match=r"scheduling.nodeSelector.zone: b shares"):
        plan_for(spec)


@pytest.mark.acceptance("B18", "B19", "B60")
@pytest.mark.parametrize(
    ("fields", "user", "group"),
    [
        ({}, 70, 70),
        ({"image": "postgres:17", "runAsUser": 999}, 999, 999),
        ({"runAsUser": 1000, "runAsGroup": 500}, 1000, 500),
    ],
)
def test_a_datastore_runs_as_the_user_that_its_image_is_built_for(
    fields: dict[str, Any], user: int, group: int
) -> None:
    plan = plan_for(make_spec(datastores=[datastore("db", **fields)]))
    security = template_of(plan, "db")["spec"]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (user, group)
    assert security["fsGroup"] == group
