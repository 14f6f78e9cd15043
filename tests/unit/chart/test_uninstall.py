"""The hook before an uninstall: a restricted pod with rights of its own and no others."""

from typing import Any

import pytest

from unit.chart.rendering import Chart, of_kind, only
from unit.chart.test_pod import container_violations, pod_violations

NAME = "rel-trading-operator-uninstall"
SYSTEMS = {
    "apiGroups": ["tradingoperator.io"],
    "resources": ["tradingsystems"],
    "verbs": ["get", "list", "patch"],
}
NAMESPACED = {"rbac": {"scope": "namespaced"}, "watchNamespaces": ["a", "b"]}


def test_the_hook_runs_before_an_uninstall_and_is_bounded(chart: Chart) -> None:
    job = only(chart.hooks(), "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    assert job["spec"]["activeDeadlineSeconds"] == 120
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    weights = {
        each["kind"]: int(each["metadata"]["annotations"]["helm.sh/hook-weight"])
        for each in chart.hooks()
    }
    assert all(weights[kind] < weights["Job"] for kind in weights.keys() - {"Job"})


def test_its_pod_passes_the_restricted_standard_and_is_none_of_the_operators(chart: Chart) -> None:
    template = only(chart.hooks(), "Job")["spec"]["template"]
    spec = template["spec"]
    assert list(pod_violations(spec)) == []
    (only_container,) = spec["containers"]
    assert list(container_violations({"ports": [], **only_container})) == []
    assert only_container["securityContext"]["readOnlyRootFilesystem"] is True
    selector = only(chart.render(), "Deployment")["spec"]["selector"]["matchLabels"]
    assert not selector.items() <= template["metadata"]["labels"].items()
    assert spec["serviceAccountName"] == NAME


def test_in_cluster_scope_it_may_release_every_system(chart: Chart) -> None:
    hooks = chart.hooks()
    assert only(hooks, "ClusterRole")["rules"] == [SYSTEMS]
    (subject,) = only(hooks, "ClusterRoleBinding")["subjects"]
    assert (subject["name"], subject["namespace"]) == (NAME, "ops")
    assert [each["metadata"]["namespace"] for each in of_kind(hooks, "Role")] == ["ops"]


def test_in_namespaced_scope_it_has_rights_in_the_watched_namespaces_alone(chart: Chart) -> None:
    release = chart.render(NAMESPACED)
    systems = "ops-rel-trading-operator-uninstall-systems"
    rights = [each for each in release if each["metadata"]["name"] == systems]
    assert {(each["kind"], each["metadata"]["namespace"]) for each in rights} == {
        (kind, namespace) for kind in ("Role", "RoleBinding") for namespace in ("a", "b")
    }
    assert all(each["rules"] == [SYSTEMS] for each in of_kind(rights, "Role"))
    for binding in of_kind(rights, "RoleBinding"):
        assert binding["roleRef"]["name"] == systems
        assert [(s["name"], s["namespace"]) for s in binding["subjects"]] == [(NAME, "ops")]


def test_the_hook_makes_nothing_in_a_watched_namespace_that_may_be_gone(chart: Chart) -> None:
    hooks = chart.hooks(NAMESPACED)
    assert of_kind(hooks, "ClusterRole") == of_kind(hooks, "ClusterRoleBinding") == []
    assert {each["metadata"]["namespace"] for each in hooks} == {"ops"}


def test_of_the_operator_it_may_do_no_more_than_stop_it(chart: Chart) -> None:
    (rules,) = (each["rules"] for each in of_kind(chart.hooks(), "Role"))
    rights = {(rule["resources"][0], *rule["verbs"]): rule["resourceNames"] for rule in rules}
    name = only(chart.render(), "Deployment")["metadata"]["name"]
    assert rights == {("deployments/scale", "patch"): [name], ("leases", "get"): [name]}


@pytest.mark.parametrize(
    "values", [{"uninstallHook": {"enabled": False}}, {"rbac": {"create": False}}]
)
def test_without_rights_or_wish_there_is_no_hook(chart: Chart, values: dict[str, Any]) -> None:
    assert chart.hooks(values) == []
    namespaced = chart.render({**values, "rbac": {**values.get("rbac", {}), "scope": "namespaced"}})
    assert not [each for each in namespaced if "-uninstall" in each["metadata"]["name"]]


def test_objects_of_the_hook_never_share_a_name(chart: Chart) -> None:
    values = {"fullnameOverride": "ops", **NAMESPACED, "watchNamespaces": ["ops", "a"]}
    made = chart.hooks(values) + chart.render(values)
    names = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in made
    ]
    assert len(names) == len(set(names))
