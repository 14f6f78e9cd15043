"""The chart as Helm renders it, for tests."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import ClusterError
from cluster.tools import find_tools

CHART = Path(__file__).parents[3] / "helm" / "trading-operator"
# What `helm upgrade --reuse-values` has of a release that was made by an older chart.
FORMER_VALUES = Path(__file__).with_name("former_values.yaml")
MEND = "helm is neither on PATH nor built: run `python3 -m cluster setup`"
Manifest = dict[str, Any]
Values = Mapping[str, Any]


def find_helm() -> Path | None:
    """Return the helm program: the one on PATH, else the one built into the cache."""
    on_path = shutil.which("helm")
    if on_path:
        return Path(on_path)
    try:
        built = find_tools() / "helm"
    except ClusterError:
        return None
    return built if built.exists() else None


@dataclass(frozen=True)
class Chart:
    """The chart in the tree and the helm program that renders it."""

    helm: Path
    folder: Path = CHART

    def render(self, values: Values | None = None, release: str = "rel") -> list[Manifest]:
        """Return every object that an install in namespace `ops` would make."""
        return self._render(values, release, "--no-hooks")

    def hooks(self, values: Values | None = None) -> list[Manifest]:
        """Return every object that Helm makes for a hook and takes away after it."""
        rendered = self._render(values, "rel")
        return [each for each in rendered if "helm.sh/hook" in _annotations(each)]

    def _render(self, values: Values | None, release: str, *more: str) -> list[Manifest]:
        done = self._run(
            "template", release, str(self.folder), "--namespace=ops", *more, values=values
        )
        assert done.returncode == 0, done.stderr
        return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]

    def refusal(self, values: Values) -> str:
        """Return what Helm says when it refuses the values; fails when it accepts them."""
        done = self._run("template", "rel", str(self.folder), "--namespace=ops", values=values)
        assert done.returncode != 0, f"accepted: {values}"
        return done.stderr

    def lint(self, values: Values | None = None) -> subprocess.CompletedProcess[str]:
        """Run `helm lint --strict`."""
        return self._run("lint", "--strict", str(self.folder), values=values)

    def notes(self, values: Values | None = None) -> str:
        """Return the notes that an install prints; nothing is sent to a cluster."""
        done = self._run(
            "install",
            "rel",
            str(self.folder),
            "--namespace=ops",
            "--dry-run=client",
            values=values,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:")[2]

    def _run(self, *arguments: str, values: Values | None) -> subprocess.CompletedProcess[str]:
        # A YAML parser reads JSON: no temporary file is needed for the values.
        return subprocess.run(
            [str(self.helm), *arguments, "--values=-"],
            input=json.dumps(values or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def _annotations(manifest: Manifest) -> Manifest:
    annotations: Manifest = manifest["metadata"].get("annotations") or {}
    return annotations


def of_kind(manifests: Iterable[Manifest], kind: str) -> list[Manifest]:
    """Return the objects of one kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def only(manifests: Iterable[Manifest], kind: str) -> Manifest:
    """Return the one object of a kind."""
    (manifest,) = of_kind(manifests, kind)
    return manifest


def pod_spec(manifests: Iterable[Manifest]) -> Manifest:
    """Return the operator's pod specification."""
    spec: Manifest = only(manifests, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(manifests: Iterable[Manifest]) -> Manifest:
    """Return the operator's container."""
    (first,) = pod_spec(manifests)["containers"]
    found: Manifest = first
    return found


def environment(manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    """Return the operator's environment variables by name."""
    variables = container(manifests)["env"]
    by_name = {variable["name"]: variable for variable in variables}
    assert len(by_name) == len(variables), "a variable is set twice"
    return by_name
