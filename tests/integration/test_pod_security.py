"""Every pod of a system with every field set is of the restricted profile and has no token."""

from typing import Any

import httpx
import pytest

from integration.full_system import (
    BROKER,
    NOTES,
    PRIORITY_CLASS,
    build_full_system,
    fields_that_are_not_set,
)
from integration.kube_client import Namespace, eventually
from integration.operator_process import Operators

Manifest = dict[str, Any]
PRIORITY_CLASSES = "apis/scheduling.k8s.io/v1/priorityclasses"


def test_the_full_system_sets_every_field_of_the_api() -> None:
    assert fields_that_are_not_set(build_full_system("full")["spec"]) == set()


def test_a_namespace_of_the_tests_refuses_what_the_restricted_profile_does(
    namespace: Namespace,
) -> None:
    container = {"name": "main", "image": "registry.example/theirs:1"}
    pod = {"metadata": {"name": "loose"}, "spec": {"containers": [container]}}
    with pytest.raises(httpx.HTTPStatusError, match="violates PodSecurity"):
        namespace.create("pods", pod)


@pytest.mark.acceptance("A27", "A79", "B60", "C77")
def test_every_pod_is_admitted_and_has_no_token(namespace: Namespace, operators: Operators) -> None:
    operators.start_leading()
    start_full_system(namespace, "full")
    components = {"db", "series", "cache", "worker", "strategy", "trainer"}
    pods = eventually(lambda: _pods(namespace, components), 60)
    for name, pod in pods.items():
        _check_restricted(name, pod["spec"])
        tokens = [each for volume in pod["spec"]["volumes"] for each in _tokens(volume)]
        assert (name, pod["spec"]["automountServiceAccountToken"], tokens) == (name, False, [])


def start_full_system(namespace: Namespace, name: str) -> None:
    """Create the full system and what it names."""
    namespace.client.apply(PRIORITY_CLASSES, _priority_class())
    namespace.create("secrets", BROKER)
    namespace.create("configmaps", NOTES)
    namespace.create("tradingsystems", build_full_system(name))


def _priority_class() -> Manifest:
    return {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", **PRIORITY_CLASS}


def _pods(namespace: Namespace, components: set[str]) -> dict[str, Manifest]:
    found = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod
        for pod in namespace.list("pods")
    }
    return found if found.keys() == components else {}


def _check_restricted(name: str, spec: Manifest) -> None:
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys(), name
    assert spec["serviceAccountName"] == "default"
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def _tokens(volume: Manifest) -> list[str]:
    sources = volume.get("projected", {}).get("sources", ())
    return [volume["name"] for source in sources if "serviceAccountToken" in source]
