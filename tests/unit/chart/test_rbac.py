"""The operator may do what it does, and nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from unit.chart.rendering import Chart, Manifest, of_kind, only

CHILD = {"get", "list", "watch", "create", "patch", "delete"}
IN_A_NAMESPACE = {
    "tradingoperator.io/tradingsystems": {"get", "list", "watch", "patch"},
    "tradingoperator.io/tradingsystems/status": {"patch"},
    "tradingoperator.io/tradingsystems/finalizers": {"update"},
    "tradingoperator.io/backups": {"get", "list", "watch"},
    "tradingoperator.io/backups/status": {"patch"},
    "tradingoperator.io/backups/finalizers": {"update"},
    "tradingoperator.io/restores": {"get", "list", "watch"},
    "tradingoperator.io/restores/status": {"patch"},
    "tradingoperator.io/restores/finalizers": {"update"},
    "tradingoperator.io/modeltrainingjobs": {"get", "list", "watch"},
    "tradingoperator.io/modeltrainingjobs/status": {"patch"},
    "tradingoperator.io/modeltrainingjobs/finalizers": {"update"},
    "batch/cronjobs": CHILD,
    "batch/jobs": {"get", "list", "watch", "create", "delete"},
    "apps/deployments": CHILD,
    "apps/statefulsets": CHILD,
    "apps/controllerrevisions": CHILD,
    "/namespaces": {"get"},
    "/services": CHILD,
    "/configmaps": CHILD,
    "/persistentvolumeclaims": {"get", "list", "watch", "create", "patch"},
    "networking.k8s.io/networkpolicies": CHILD,
    "networking.k8s.io/ingresses": CHILD,
    "autoscaling/horizontalpodautoscalers": CHILD,
    "policy/poddisruptionbudgets": CHILD,
    "/pods": {"list", "watch", "patch", "delete"},
    "/secrets": {"get", "create"},
    "events.k8s.io/events": {"create", "patch"},
    "/events": {"list", "watch"},
    "/resourcequotas": {"list"},
}
OF_THE_CLUSTER = {"storage.k8s.io/storageclasses": {"list"}, "/nodes": {"list"}}
NAMESPACED = {"rbac": {"scope": "namespaced"}, "watchNamespaces": ["desk-a", "desk-b"]}
SCOPES = [{}, NAMESPACED]
PLURALS = ("tradingsystems", "backups", "restores", "modeltrainingjobs")


def permissions(rules: Iterable[Manifest]) -> dict[str, set[str]]:
    """Fold rules without resourceNames into verbs by group and resource."""
    found: dict[str, set[str]] = {}
    for rule in rules:
        assert "resourceNames" not in rule
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault(f"{group}/{resource}", set()).update(rule["verbs"])
    return found


def granted_everywhere(manifests: list[Manifest]) -> dict[str, set[str]]:
    """Return what the operator's account may do in every namespace."""
    roles = {role["metadata"]["name"]: role for role in of_kind(manifests, "ClusterRole")}
    bindings = of_kind(manifests, "ClusterRoleBinding")
    assert all(binding["roleRef"]["kind"] == "ClusterRole" for binding in bindings)
    bound = [roles[binding["roleRef"]["name"]] for binding in bindings]
    return permissions(rule for role in bound for rule in role["rules"])


def operator_roles(manifests: list[Manifest]) -> list[Manifest]:
    """Return the Roles of the operator's own account; the uninstall has another."""
    roles = of_kind(manifests, "Role")
    return [role for role in roles if "-uninstall" not in role["metadata"]["name"]]


@pytest.mark.parametrize("values", SCOPES)
def test_no_rule_has_a_wildcard_or_a_way_to_more_rights(
    chart: Chart, values: Mapping[str, Any]
) -> None:
    manifests = chart.render(values)
    roles = of_kind(manifests, "ClusterRole") + of_kind(manifests, "Role")
    assert roles
    for rule in (rule for role in roles for rule in role["rules"]):
        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not words & {"*", "escalate", "bind", "impersonate", "pods/exec"}
        assert "nodes" not in rule["resources"] or rule["verbs"] == ["list"]
        assert "nonResourceURLs" not in rule


def test_cluster_scope_grants_exactly_what_the_operator_uses(chart: Chart) -> None:
    assert granted_everywhere(chart.render()) == IN_A_NAMESPACE | OF_THE_CLUSTER


def test_namespaced_scope_grants_the_same_in_the_watched_namespaces_alone(chart: Chart) -> None:
    manifests = chart.render(NAMESPACED)
    assert granted_everywhere(manifests) == OF_THE_CLUSTER
    watched = [role for role in operator_roles(manifests) if role["metadata"]["namespace"] != "ops"]
    assert {role["metadata"]["namespace"] for role in watched} == {"desk-a", "desk-b"}
    assert all(permissions(role["rules"]) == IN_A_NAMESPACE for role in watched)


def test_namespaced_scope_without_a_list_watches_the_release_namespace(chart: Chart) -> None:
    manifests = chart.render({"rbac": {"scope": "namespaced"}})
    roles = [r for r in operator_roles(manifests) if "lease" not in r["metadata"]["name"]]
    assert [role["metadata"]["namespace"] for role in roles] == ["ops"]


def test_a_namespaced_install_can_do_without_any_cluster_wide_object(chart: Chart) -> None:
    rbac = {
        "scope": "namespaced",
        "storageClasses": False,
        "nodes": False,
        "aggregatedRoles": False,
    }
    manifests = chart.render({"rbac": rbac, "crds": {"create": False}})
    assert all("namespace" in manifest["metadata"] for manifest in manifests)


@pytest.mark.parametrize("values", SCOPES)
def test_every_binding_names_a_role_that_is_there_and_the_account_that_it_is_for(
    chart: Chart, values: Mapping[str, Any]
) -> None:
    manifests = chart.render(values)
    account = only(manifests, "ServiceAccount")["metadata"]
    roles = {
        (role["kind"], role["metadata"]["name"], role["metadata"].get("namespace"))
        for role in of_kind(manifests, "Role") + of_kind(manifests, "ClusterRole")
    }
    for binding in of_kind(manifests, "RoleBinding") + of_kind(manifests, "ClusterRoleBinding"):
        ref, space = binding["roleRef"], binding["metadata"].get("namespace")
        assert (ref["kind"], ref["name"], space) in roles
        (subject,) = binding["subjects"]
        suffix = "-uninstall" if "-uninstall" in binding["metadata"]["name"] else ""
        assert subject == {
            "kind": "ServiceAccount",
            "name": account["name"] + suffix,
            "namespace": account["namespace"],
        }


def test_only_the_operators_own_lease_may_be_changed(chart: Chart) -> None:
    manifests = chart.render({"fullnameOverride": "desk"})
    (role,) = [r for r in of_kind(manifests, "Role") if r["metadata"]["name"] == "desk-lease"]
    create, change = role["rules"]
    assert create["verbs"] == ["create"]
    assert (change["resourceNames"], change["verbs"]) == (["desk"], ["get", "update"])


def test_people_get_access_through_the_clusters_own_roles(chart: Chart) -> None:
    roles = {
        label.removeprefix("rbac.authorization.k8s.io/aggregate-to-"): permissions(role["rules"])
        for role in of_kind(chart.render(), "ClusterRole")
        for label in role["metadata"]["labels"]
        if label.startswith("rbac.authorization.k8s.io/aggregate-to-")
    }
    assert set(roles) == {"admin", "edit", "view"}
    kinds = [f"tradingoperator.io/{plural}" for plural in PLURALS]
    looking = {kind: {"get", "list", "watch"} for kind in kinds}
    assert roles["view"] == looking | {f"{kind}/status": {"get"} for kind in kinds}
    assert roles["edit"] == roles["admin"]
    for kind in kinds:
        assert roles["edit"][kind] > CHILD
        assert roles["edit"][f"{kind}/status"] == {"get"}


def test_roles_are_left_to_somebody_else_on_request(chart: Chart) -> None:
    manifests = chart.render({"rbac": {"create": False}})
    assert not [manifest for manifest in manifests if "rbac" in manifest["apiVersion"]]


@pytest.mark.parametrize(
    ("scope", "shared"),
    # One that serves every namespace leaves a mark that Helm makes for no second release.
    [("namespaced", set()), ("cluster", {"trading-operator-every-namespace"})],
)
def test_two_releases_never_share_a_cluster_wide_name_but_the_mark_of_the_only_one(
    chart: Chart, scope: str, shared: set[str]
) -> None:
    def cluster_wide(release: str) -> set[str]:
        values = {"crds": {"create": False}, "rbac": {"scope": scope}}
        manifests = chart.render(values, release)
        named = [m["metadata"] for m in manifests if "namespace" not in m["metadata"]]
        return {metadata["name"] for metadata in named}

    assert cluster_wide("one") & cluster_wide("two") == shared
