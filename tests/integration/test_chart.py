"""The chart on a real API server: install, rights, upgrade and uninstall."""

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import ClusterHandle
from integration.kube_client import Namespace, eventually
from integration.operator_process import CHART, Operators
from integration.programs import RESTRICTED, Tools
from integration.systems import build_chain

# The chart's objects and definitions of the whole cluster: one test at a time.
pytestmark = pytest.mark.usefixtures("one_release_at_a_time")
CRD = "crd/tradingsystems.tradingoperator.io"
# The definition may be there already, from another test of this shared cluster.
ADOPT = ("--take-ownership", "--force-conflicts")
SYSTEM = {
    "apiVersion": "tradingoperator.io/v1alpha1",
    "kind": "TradingSystem",
    "metadata": {"name": "kept"},
    "spec": {"datastores": [{"name": "db", "engine": "Redis", "storage": {"size": "1Gi"}}]},
}


@pytest.fixture(scope="module")
def tools(control_plane: ClusterHandle) -> Tools:
    """The programs of the cluster that this tier shares."""
    return Tools(control_plane.bin_dir, control_plane.kubeconfig)


@pytest.fixture
def namespaces(tools: Tools) -> Iterator[list[str]]:
    """Two namespaces that admit only restricted pods, and no release left in them afterwards."""
    names = [f"chart-{uuid.uuid4().hex[:8]}-{letter}" for letter in "ab"]
    for name in names:
        tools.ok("kubectl", "create", "namespace", name)
        tools.ok("kubectl", "label", "namespace", name, RESTRICTED)
    yield names
    for name in names:
        for release in tools.ok("helm", "list", "--short", f"--namespace={name}").split():
            tools.ok("helm", "uninstall", release, f"--namespace={name}")
    tools.ok("kubectl", "delete", "namespace", *names, "--wait=false")


def install(tools: Tools, release: str, namespace: str, *options: str, chart: Path = CHART) -> str:
    """Install the chart; returns everything that Helm printed, warnings too."""
    command = ("helm", "install", release, str(chart), f"--namespace={namespace}", *options)
    done = tools.run(*command, *ADOPT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def uid(tools: Tools, *what: str) -> str:
    """Return the identity of one object: a deleted and recreated one has another."""
    found: str = tools.get(*what)["metadata"]["uid"]
    return found


def owned_by(tools: Tools, release: str) -> list[str]:
    """Return what carries the release's label, in every namespace, definitions aside."""
    kinds = "deploy,svc,sa,roles,rolebindings,clusterroles,clusterrolebindings,pdb,netpol"
    label = f"--selector=app.kubernetes.io/instance={release}"
    return tools.ok("kubectl", "get", kinds, "--all-namespaces", label, "--output=name").split()


@pytest.mark.acceptance("B32")
def test_a_restricted_namespace_takes_the_operators_pods(
    tools: Tools, namespaces: list[str]
) -> None:
    space = namespaces[0]
    printed = install(tools, "restricted", space, "--set=replicas=2,networkPolicy.enabled=true")
    assert "PodSecurity" not in printed
    tools.ok("kubectl", "wait", "--for=condition=Established", CRD, "--timeout=20s")
    count = "jsonpath={.status.replicas}=2"
    deployment = "deployment/restricted-trading-operator"
    tools.ok("kubectl", "wait", f"--for={count}", deployment, f"-n={space}", "--timeout=20s")
    pods = tools.get("pods", f"--namespace={space}")["items"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"trading-operator:0.1.0"}


def test_explain_describes_every_field(tools: Tools, namespaces: list[str]) -> None:
    install(tools, "explained", namespaces[0])
    # A definition's schema is published a moment after the definition is established.
    eventually(lambda: tools.run("kubectl", "explain", "tradingsystem").returncode == 0)
    for path in (".spec", ".spec.services", ".spec.datastores", ".status.components"):
        text = tools.ok("kubectl", "explain", f"tradingsystem{path}")
        assert "FIELDS:" in text
        assert "<no description>" not in text
    assert "Image with a fixed tag or digest." in tools.ok(
        "kubectl", "explain", "tradingsystem.spec.services"
    )


def test_an_upgrade_keeps_and_an_uninstall_leaves_the_systems(
    tools: Tools, namespaces: list[str]
) -> None:
    space = namespaces[0]
    install(tools, "life", space)
    tools.ok("kubectl", "wait", "--for=condition=Established", CRD, "--timeout=20s")
    tools.ok("kubectl", "apply", f"--namespace={space}", "--filename=-", stdin=json.dumps(SYSTEM))
    system = ("tsys/kept", f"-n={space}")
    deployment = ("deploy/life-trading-operator", f"-n={space}")
    before = uid(tools, CRD), uid(tools, *system), uid(tools, *deployment)

    upgrade = ("helm", "upgrade", "life", str(CHART), f"--namespace={space}", "--set=replicas=2")
    tools.ok(*upgrade, "--force-conflicts")
    assert (uid(tools, CRD), uid(tools, *system), uid(tools, *deployment)) == before
    assert any("poddisruptionbudget" in name for name in owned_by(tools, "life"))

    tools.ok("helm", "uninstall", "life", f"--namespace={space}", "--wait")
    assert owned_by(tools, "life") == []
    assert (uid(tools, CRD), uid(tools, *system)) == before[:2]

    install(tools, "second", namespaces[1])
    assert (uid(tools, CRD), uid(tools, *system)) == before[:2]


def test_an_upgrade_of_the_chart_upgrades_the_definition(
    tools: Tools, namespaces: list[str], tmp_path: Path
) -> None:
    space, old = namespaces[0], tmp_path / "trading-operator"
    shutil.copytree(CHART, old)
    (definition,) = (old / "templates" / "crds").glob("*tradingsystems.yaml")
    words = "Programs of the system."
    definition.write_text(definition.read_text().replace(words, "As it was said before."))
    install(tools, "elder", space, chart=old)
    assert words not in tools.ok("kubectl", "get", CRD, "--output=yaml")
    upgrade = ("helm", "upgrade", "elder", str(CHART), f"--namespace={space}", "--force-conflicts")
    tools.ok(*upgrade)
    assert words in tools.ok("kubectl", "get", CRD, "--output=yaml")


def test_namespaced_scope_reaches_its_namespaces_alone(tools: Tools, namespaces: list[str]) -> None:
    home, desk = namespaces
    scope = f"--set=rbac.scope=namespaced,watchNamespaces={{{desk}}}"
    install(tools, "desk", home, scope)
    account = f"{home}:desk-trading-operator"
    assert tools.may(account, "create", "statefulsets", desk)
    assert tools.may(account, "get", "secrets", desk)
    assert not tools.may(account, "list", "secrets", desk)
    assert not tools.may(account, "delete", "persistentvolumeclaims", desk)
    assert not tools.may(account, "get", "tradingsystems", home)
    assert not tools.may(account, "get", "pods", "default")
    assert tools.may(account, "list", "storageclasses.storage.k8s.io", desk)


def test_cluster_scope_reaches_every_namespace_but_lists_no_secrets(
    tools: Tools, namespaces: list[str]
) -> None:
    home, elsewhere = namespaces
    install(tools, "wide", home)
    account, lease = f"{home}:wide-trading-operator", "leases/wide-trading-operator"
    assert tools.may(account, "watch", "tradingsystems", elsewhere)
    assert tools.may(account, "patch", "tradingsystems", elsewhere, status=True)
    # Patched for the finalizer of an ordered stop alone, never made or deleted.
    for verb in ("create", "update", "delete"):
        assert not tools.may(account, verb, "tradingsystems", elsewhere)
    assert not tools.may(account, "list", "secrets", elsewhere)
    assert tools.may(account, "update", lease, home)
    assert not tools.may(account, "update", lease, elsewhere)
    assert not tools.may(account, "update", "leases/another", home)


def test_a_namespace_editor_may_edit_systems_and_a_viewer_may_not(
    tools: Tools, namespaces: list[str]
) -> None:
    home, desk = namespaces
    install(tools, "people", home)
    for role in ("edit", "view"):
        tools.ok("kubectl", "create", "serviceaccount", role, f"--namespace={desk}")
        subject = f"--serviceaccount={desk}:{role}"
        grant = ("kubectl", "create", "rolebinding", role, f"--clusterrole={role}", subject)
        tools.ok(*grant, f"--namespace={desk}")
    editor, viewer = f"{desk}:edit", f"{desk}:view"
    # A controller adds the chart's roles to the cluster's own.
    eventually(lambda: tools.may(editor, "create", "tradingsystems", desk))
    assert tools.may(viewer, "list", "tradingsystems", desk)
    assert not tools.may(viewer, "create", "tradingsystems", desk)
    assert not tools.may(editor, "patch", "tradingsystems", desk, status=True)


def test_the_operator_asks_for_nothing_that_the_chart_does_not_grant(
    namespace: Namespace, operators: Operators
) -> None:
    operators.start_leading()
    system = build_chain()
    namespace.create("tradingsystems", system)
    eventually(lambda: namespace.is_ready("chain"))
    system["spec"]["configs"][0]["files"]["market.json"] = '{"open": "09:30"}'
    system["spec"]["services"][0]["configs"] = [{"name": "market", "mountPath": "/app/config"}]
    namespace.apply("tradingsystems", system)
    eventually(lambda: namespace.is_ready("chain"))
    operators.settle()
    mine = operators.audit.events()
    refused = [e["requestURI"] for e in mine if e.get("responseStatus", {}).get("code") == 403]
    assert len(mine) > 20
    assert refused == []
