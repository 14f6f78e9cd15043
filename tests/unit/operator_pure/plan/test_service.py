"""Services as objects."""

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.manifests.metadata import RENDERING_ANNOTATION, REVISION_ANNOTATION
from trading_operator.plan.types import Manifest
from unit.operator_pure.systems import (
    World,
    container_of,
    datastore,
    make_spec,
    objects_of,
    plan_for,
    service,
    template_of,
)


def _pod(**fields: object) -> Manifest:
    spec = make_spec(
        configs=[{"name": "settings", "files": {"a.yaml": "a: 1"}}],
        volumes=[{"name": "logs", "size": "1Gi"}],
        services=[service("app", **fields)],
    )
    pod: Manifest = template_of(plan_for(spec), "app")["spec"]
    return pod


@pytest.mark.acceptance("A27", "A79")
def test_a_pod_meets_the_restricted_profile_and_writes_nowhere_but_scratch() -> None:
    pod = _pod()
    container = pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["runAsGroup"] == 1000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"name": "tmp", "emptyDir": {}} in pod["volumes"]
    writable = [mount for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert writable == [{"name": "tmp", "mountPath": "/tmp"}]


@pytest.mark.acceptance("A14", "A46", "A47")
def test_configs_volumes_and_scratch_folders_are_mounted_where_asked() -> None:
    pod = _pod(
        configs=[{"name": "settings", "mountPath": "/app/config"}],
        volumes=[{"name": "logs", "mountPath": "/app/logs", "readOnly": True}],
        writablePaths=["/var/cache"],
    )
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["/app/config"] == {
        "name": "config-settings",
        "mountPath": "/app/config",
        "readOnly": True,
    }
    assert mounts["/app/logs"]["readOnly"] is True
    assert mounts["/var/cache"] == {"name": "scratch-0", "mountPath": "/var/cache"}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["volume-logs"]["persistentVolumeClaim"] == {"claimName": "momentum-logs"}


@pytest.mark.parametrize("path", ["/tmp", "/run/secrets", "/app/"])
def test_a_folder_that_is_mounted_twice_is_refused_with_the_mend(path: str) -> None:
    with pytest.raises(InvalidSpecError, match=r"services\[0\]: .* is mounted twice"):
        _pod(writablePaths=["/app", path])


@pytest.mark.acceptance("A53", "A54")
def test_health_is_the_readiness_probe_and_liveness_has_a_startup_grace() -> None:
    container = _pod(
        health={"path": "/health", "port": "http"},
        liveness={"path": "/livez"},
        startupDeadline="90s",
    )["containers"][0]
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/health", "port": "http", "scheme": "HTTP"},
        "periodSeconds": 5,
        "timeoutSeconds": 3,
        "failureThreshold": 3,
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 90


def test_health_may_be_a_connection_or_a_command() -> None:
    by_port = _pod(health={"port": "http"})["containers"][0]
    assert by_port["readinessProbe"]["tcpSocket"] == {"port": "http"}
    by_command = _pod(health={"command": ["true"]})["containers"][0]
    assert by_command["readinessProbe"]["exec"] == {"command": ["true"]}


def test_a_health_port_that_is_not_declared_is_refused() -> None:
    with pytest.raises(InvalidSpecError, match=r"services\[0\].health.port: app has no port grpc"):
        _pod(health={"port": "grpc"})


@pytest.mark.acceptance("A50")
def test_a_device_goes_to_the_service_that_asks_and_to_no_other() -> None:
    spec = make_spec(services=[service("train", gpu={"count": 1}), service("other")])
    plan = plan_for(spec)
    assert container_of(plan, "train")["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert "resources" not in container_of(plan, "other")
    strategy = objects_of(plan, "Deployment")["momentum-train"]["spec"]["strategy"]
    # The only device is still held by the old pod: a new one first would wait for ever.
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_a_single_writer_is_a_one_pod_stateful_set_that_the_operator_replaces_itself() -> None:
    plan = plan_for(make_spec(services=[service("strategy", workload="SingleWriter")]))
    workload = objects_of(plan, "StatefulSet")["momentum-strategy"]
    assert objects_of(plan, "Deployment") == {}
    assert workload["spec"]["replicas"] == 1
    assert workload["spec"]["updateStrategy"] == {"type": "OnDelete"}


@pytest.mark.acceptance("A34")
def test_the_version_label_is_the_images_tag() -> None:
    image = "autonomous_trading_system/trading-strategy:0.1.0"
    labels = template_of(plan_for(make_spec(services=[service("s", image=image)])), "s")
    assert labels["metadata"]["labels"]["app.kubernetes.io/version"] == "0.1.0"


def test_a_service_without_ports_has_no_service_object() -> None:
    plan = plan_for(make_spec(services=[service("job", ports=[]), service("user", "job")]))
    assert "momentum-job" not in objects_of(plan, "Service")


@pytest.mark.acceptance("A06")
def test_a_change_of_one_component_changes_that_components_objects_alone() -> None:
    def objects(tag: str) -> dict[str, Manifest]:
        spec = make_spec(
            datastores=[datastore()],
            services=[service("a", image=f"app:{tag}"), service("b")],
        )
        plan = plan_for(spec)
        stored = "ControllerRevision"
        named = ((f"{m['kind']}/{m['metadata']['name']}", m) for m in plan.objects)
        return {name: m for name, m in named if m["kind"] != stored}

    before, after = objects("1"), objects("2")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"Deployment/momentum-a", "Service/momentum-a", "NetworkPolicy/momentum-a"}


def test_only_the_pods_that_mount_a_config_roll_when_it_changes() -> None:
    def revisions(content: str) -> dict[str, str]:
        mount = {"configs": [{"name": "settings", "mountPath": "/c"}]}
        spec = make_spec(
            configs=[{"name": "settings", "files": {"a": content}}],
            services=[service("user", **mount), service("other")],
        )
        return {c.name: c.revision for c in plan_for(spec).components}

    before, after = revisions("1"), revisions("2")
    assert before["user"] != after["user"]
    assert before["other"] == after["other"]


def test_scaling_does_not_roll_pods() -> None:
    plans = [plan_for(make_spec(services=[service("a", replicas=n)])) for n in (1, 3)]
    assert plans[0].components[0].revision == plans[1].components[0].revision
    assert plans[0].revision == plans[1].revision


def test_network_rules_do_not_change_the_revision() -> None:
    plans = [
        plan_for(make_spec(network=network, services=[service("a")]))
        for network in ({}, {"isolation": "Off"}, {"monitoringNamespaces": ["monitoring"]})
    ]
    assert len({plan.revision for plan in plans}) == 1


def test_templates_carry_their_revision_and_objects_their_rendering() -> None:
    plan = plan_for(make_spec(services=[service("a")]))
    annotations = template_of(plan, "a")["metadata"]["annotations"]
    assert annotations == {REVISION_ANNOTATION: plan.components[0].revision}
    # A revision needs none: its name tells what is in it.
    sealed = [m for m in plan.objects if m["kind"] != "ControllerRevision"]
    assert all(RENDERING_ANNOTATION in m["metadata"]["annotations"] for m in sealed)


@pytest.mark.acceptance("X29")
@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("app", False),
        ("app:latest", False),
        ("registry.local:5000/app", False),
        ("registry.local:5000/app:1.2", True),
        ("app@sha256:0123", True),
        ("app:latest@sha256:0123", True),
    ],
)
def test_an_image_that_may_change_behind_its_name_is_run_and_reported(
    image: str, pinned: bool
) -> None:
    plan = plan_for(make_spec(services=[service("a", image=image)]))
    assert container_of(plan, "a")["image"] == image
    findings = plan.components[0].findings
    assert [finding.reason for finding in findings] == ([] if pinned else ["UnpinnedImage"])
    if findings:
        assert findings[0].message.startswith(f"services[0].image: {image} may change")


def test_a_workload_type_change_removes_the_former_workload_before_the_new_one_runs() -> None:
    world = World()
    world.settle(make_spec(services=[service("s")]))
    single = make_spec(services=[service("s", workload="SingleWriter")])

    plan = plan_for(single, world.observe())
    assert [ref.kind for ref in plan.prune] == ["Deployment"]
    assert objects_of(plan, "StatefulSet") == {}
    pod = world.pods["s"]
    world.apply(plan)

    world.pods["s"] = pod  # the former pod is still stopping
    plan = plan_for(single, world.observe())
    assert plan.components[0].block is not None
    assert objects_of(plan, "StatefulSet") == {}

    del world.pods["s"]
    assert "momentum-s" in objects_of(plan_for(single, world.observe()), "StatefulSet")
