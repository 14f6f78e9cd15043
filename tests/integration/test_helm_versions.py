"""Helm 3 and Helm 4 install, upgrade, roll back and remove the same chart."""

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.api import ClusterHandle
from integration.kube_client import KubeClient, eventually
from integration.operator_process import CHART, write_kubeconfig
from integration.programs import RESTRICTED, Tools
from unit.chart.rendering import FORMER_VALUES

# With the chart's other tests: both change the definitions of the whole cluster.
pytestmark = pytest.mark.usefixtures("one_release_at_a_time")
HELMS = {"helm": ("--take-ownership", "--force-conflicts"), "helm3": ("--take-ownership",)}
DEFINITION = "crd/tradingsystems.tradingoperator.io"
WORDS, FORMER = "Programs of the system.", "As it was said before."
RELEASE = "desk"
SYSTEM = {
    "apiVersion": "tradingoperator.io/v1alpha1",
    "kind": "TradingSystem",
    "metadata": {"name": "kept"},
    "spec": {"datastores": [{"name": "db", "engine": "Redis", "storage": {"size": "1Gi"}}]},
}
# A release without a single cluster-wide object.
NAMESPACED = (
    "--set=rbac.scope=namespaced,rbac.storageClasses=false,rbac.nodes=false,rbac.aggregatedRoles=false",
    "--set=crds.create=false",
)
KINDS = "deploy,svc,sa,roles,rolebindings,clusterroles,clusterrolebindings,pdb,netpol,jobs"


@dataclass(frozen=True)
class Helm:
    """One version of Helm and a namespace for its release."""

    name: str
    tools: Tools
    space: str

    def ok(self, *command: str) -> str:
        """Run a command of Helm that must succeed."""
        return self.tools.ok(self.name, *command, f"--namespace={self.space}")

    def install(self, chart: Path, *options: str) -> None:
        """Install; the definition may be there from another test of this shared cluster."""
        self.ok("install", RELEASE, str(chart), *options, *HELMS[self.name])

    def upgrade(self, chart: Path, *options: str) -> None:
        """Upgrade to a chart and values."""
        self.ok("upgrade", RELEASE, str(chart), *options, *self.conflicts())

    def conflicts(self) -> list[str]:
        """Return the flag that Helm 4 needs where another test applied the definition."""
        return [flag for flag in HELMS[self.name] if flag == "--force-conflicts"]

    def replicas(self) -> int:
        """Return how many replicas the release asks for."""
        deployment = self.tools.get("deploy", "desk-trading-operator", f"-n={self.space}")
        found: int = deployment["spec"]["replicas"]
        return found

    def left(self) -> list[str]:
        """Return what the release has in the cluster, definitions aside."""
        label = f"--selector=app.kubernetes.io/instance={RELEASE}"
        found = [each["metadata"] for each in self.tools.get(KINDS, "-A", label)["items"]]
        return [each["name"] for each in found if self.space in _places(each)]


def _places(metadata: dict[str, Any]) -> str:
    # What is cluster-wide tells the release's namespace in an annotation.
    notes = metadata.get("annotations", {})
    return f"{metadata.get('namespace')} {notes.get('meta.helm.sh/release-namespace')}"


@pytest.fixture(params=list(HELMS))
def helm(
    request: pytest.FixtureRequest, control_plane: ClusterHandle, client: KubeClient
) -> Iterator[Helm]:
    """A Helm, and a namespace that admits only restricted pods and is empty afterwards."""
    tools = Tools(control_plane.bin_dir, control_plane.kubeconfig)
    made = Helm(request.param, tools, f"{request.param}-{uuid.uuid4().hex[:8]}")
    tools.ok("kubectl", "create", "namespace", made.space)
    tools.ok("kubectl", "label", "namespace", made.space, RESTRICTED)
    yield made
    for release in made.ok("list", "--short").split():
        made.ok("uninstall", release)
    tools.ok("kubectl", "delete", "namespace", made.space, "--wait=false")


def identity(tools: Tools, *what: str) -> str:
    """Return the uid of an object: what was deleted and made anew has another."""
    found: str = tools.get(*what)["metadata"]["uid"]
    return found


def build_former_chart(folder: Path) -> Path:
    """Copy the chart with the values of a former one and another description in its definition."""
    former = folder / "trading-operator"
    shutil.copytree(CHART, former)
    shutil.copyfile(FORMER_VALUES, former / "values.yaml")
    (definition,) = (former / "templates" / "crds").glob("*tradingsystems.yaml")
    definition.write_text(definition.read_text().replace(WORDS, FORMER))
    return former


def test_the_versions_are_those_that_are_meant(helm: Helm) -> None:
    said = helm.tools.ok(helm.name, "version", "--template={{.Version}}")
    assert said.startswith("v4." if helm.name == "helm" else "v3.")


@pytest.mark.acceptance("B32")
def test_a_release_is_installed_upgraded_rolled_back_and_removed(
    helm: Helm, tmp_path: Path
) -> None:
    tools = helm.tools
    helm.install(build_former_chart(tmp_path))
    tools.ok("kubectl", "wait", "--for=condition=Established", DEFINITION, "--timeout=20s")
    tools.ok("kubectl", "apply", f"-n={helm.space}", "--filename=-", stdin=json.dumps(SYSTEM))
    system = ("tsys/kept", f"-n={helm.space}")
    before = identity(tools, DEFINITION), identity(tools, *system)
    assert FORMER in tools.ok("kubectl", "get", DEFINITION, "--output=yaml")
    assert helm.replicas() == 1

    helm.upgrade(CHART, "--reuse-values", "--set=logLevel=DEBUG")
    assert WORDS in tools.ok("kubectl", "get", DEFINITION, "--output=yaml")
    assert helm.replicas() == 1

    helm.upgrade(CHART, "--reset-then-reuse-values")
    assert helm.replicas() == 2
    assert "DEBUG" in helm.ok("get", "values", RELEASE)

    helm.upgrade(CHART, "--set=replicas=3,logLevel=DEBUG")
    assert WORDS in tools.ok("kubectl", "get", DEFINITION, "--output=yaml")
    assert helm.replicas() == 3
    label = f"--selector=app.kubernetes.io/instance={RELEASE}"
    eventually(lambda: len(tools.get("pods", label, f"-n={helm.space}")["items"]) >= 3)

    helm.ok("rollback", RELEASE, "1", "--wait", "--timeout=60s", *helm.conflicts())
    assert helm.replicas() == 1
    assert (identity(tools, DEFINITION), identity(tools, *system)) == before

    helm.upgrade(CHART)
    helm.ok("uninstall", RELEASE, "--wait", "--timeout=60s")
    assert helm.left() == []
    assert (identity(tools, DEFINITION), identity(tools, *system)) == before


def test_after_a_hook_that_failed_there_is_a_way_back_and_a_way_on(helm: Helm) -> None:
    tools, place = helm.tools, f"--namespace={helm.space}"
    helm.install(CHART, *NAMESPACED, "--set=uninstallHook.deadlineSeconds=10")
    quota = ("quota", "no-pods", place)
    tools.ok("kubectl", "create", *quota, "--hard=pods=0")
    failed = tools.run(helm.name, "uninstall", RELEASE, place)
    assert failed.returncode != 0
    assert helm.replicas() == 2  # its pod was refused: it has not come to stop the operator
    tools.ok("kubectl", "scale", "deploy/desk-trading-operator", "--replicas=0", place)
    refused = tools.run(helm.name, "upgrade", RELEASE, str(CHART), *NAMESPACED, place)
    assert "has no deployed releases" in refused.stderr

    helm.ok("rollback", RELEASE, "1", *helm.conflicts())
    assert helm.replicas() == 2
    helm.upgrade(CHART, *NAMESPACED)

    tools.ok("kubectl", "delete", *quota)
    helm.ok("uninstall", RELEASE, "--wait", "--timeout=60s")
    assert helm.left() == []


@pytest.mark.parametrize("ending", [False, True], ids=["gone", "terminating"])
def test_a_watched_namespace_that_goes_first_does_not_hold_up_the_uninstall(
    helm: Helm, ending: bool
) -> None:
    tools, desk = helm.tools, f"{helm.space}-desk"
    tools.ok("kubectl", "create", "namespace", desk)
    held = {"name": "kept", "finalizers": ["test.example/kept"] * ending}
    kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": held}
    tools.ok("kubectl", "create", f"-n={desk}", "--filename=-", stdin=json.dumps(kept))
    watched = f"--set=watchNamespaces={{{helm.space},{desk}}}"
    helm.install(CHART, *NAMESPACED, watched)
    tools.ok("kubectl", "delete", "namespace", desk, f"--wait={str(not ending).lower()}")
    helm.ok("uninstall", RELEASE, "--wait", "--timeout=60s")
    assert helm.left() == []
    if ending:
        released = '--patch={"metadata":{"finalizers":null}}'
        tools.ok("kubectl", "patch", "cm/kept", f"-n={desk}", "--type=merge", released)


def test_full_control_of_one_namespace_is_enough_to_install_in_it(
    helm: Helm, client: KubeClient, tmp_path: Path
) -> None:
    place = f"--namespace={helm.space}"
    helm.tools.ok("kubectl", "create", "serviceaccount", "owner", place)
    grant = ("--clusterrole=cluster-admin", f"--serviceaccount={helm.space}:owner", place)
    helm.tools.ok("kubectl", "create", "rolebinding", "owner", *grant)
    kubeconfig = write_kubeconfig(
        client.namespaced(helm.space), tmp_path / "owner.kubeconfig", account="owner"
    )
    owner = replace(helm, tools=Tools(helm.tools.bin_dir, kubeconfig))
    assert owner.tools.run("kubectl", "get", "clusterroles").returncode != 0
    # A RoleBinding takes hold a moment after it is made.
    eventually(lambda: owner.tools.run("kubectl", "get", "roles", place).returncode == 0)
    owner.ok("install", RELEASE, str(CHART), *NAMESPACED)
    owner.ok("upgrade", RELEASE, str(CHART), *NAMESPACED, "--set=logLevel=DEBUG")
    owner.ok("uninstall", RELEASE, "--wait", "--timeout=60s")
    assert helm.left() == []


def test_both_render_the_same_objects(helm: Helm) -> None:
    # Without a cluster each thinks of another version of Kubernetes.
    flags = ("--namespace=desk", "--kube-version=1.36.0", "--set=metrics.dashboard.enabled=true")
    rendered = [helm.tools.ok(name, "template", RELEASE, str(CHART), *flags) for name in HELMS]
    first, second = (sorted(map(str, yaml.safe_load_all(objects))) for objects in rendered)
    assert len(first) > 10
    assert first == second


def test_a_second_release_for_every_namespace_is_refused_with_the_mend(helm: Helm) -> None:
    options = ("--set=crds.create=false", f"--namespace={helm.space}")
    helm.ok("install", "one", str(CHART), "--set=crds.create=false")
    second = helm.tools.run(helm.name, "install", "two", str(CHART), *options)
    assert second.returncode != 0
    assert f"release {helm.space}/one manages the trading systems of every" in second.stderr
    namespaced = (*options, f"--set=rbac.scope=namespaced,watchNamespaces={{{helm.space}}}")
    beside = helm.tools.run(helm.name, "install", "two", str(CHART), *namespaced)
    assert f"release {helm.space}/one manages the trading systems of every" in beside.stderr
    helm.ok("upgrade", "one", str(CHART), "--set=crds.create=false,replicas=1")
    helm.ok("upgrade", "one", str(CHART), "--set=crds.create=false,rbac.scope=namespaced")
    helm.ok("install", "two", str(CHART), "--set=crds.create=false")
