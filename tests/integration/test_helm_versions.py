"""Helm 3 and Helm 4 install, upgrade, roll back and remove the same chart."""

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cluster.api import ClusterHandle
from integration.kube_client import KubeClient, eventually
from integration.operator_process import CHART
from integration.programs import RESTRICTED, Tools

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
        names = self.tools.ok("kubectl", "get", KINDS, "-A", label, "--output=name")
        return names.split()


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
    """Copy the chart with another description in its definition."""
    former = folder / "trading-operator"
    shutil.copytree(CHART, former)
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
    assert helm.replicas() == 2

    helm.upgrade(CHART, "--set=replicas=3,logLevel=DEBUG")
    assert WORDS in tools.ok("kubectl", "get", DEFINITION, "--output=yaml")
    assert helm.replicas() == 3
    label = f"--selector=app.kubernetes.io/instance={RELEASE}"
    eventually(lambda: len(tools.get("pods", label, f"-n={helm.space}")["items"]) >= 3)

    helm.ok("rollback", RELEASE, "1", "--wait", "--timeout=60s", *helm.conflicts())
    assert helm.replicas() == 2
    assert (identity(tools, DEFINITION), identity(tools, *system)) == before

    helm.upgrade(CHART)
    helm.ok("uninstall", RELEASE, "--wait", "--timeout=60s")
    assert helm.left() == []
    assert (identity(tools, DEFINITION), identity(tools, *system)) == before


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
