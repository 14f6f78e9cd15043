"""Another version of the operator: a copy of its package that renders pods otherwise."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
_POD = "trading_operator/manifests/pod.py"
_PROBE = "trading_operator/manifests/probe.py"
_MARK = "RENDERED_BY"


def copy_operator(folder: Path, version: str) -> Path:
    """Copy the operator's package and change how it renders; returns the new source folder.

    Every container gets one more variable and every probe waits longer; the way of both is
    looked for in the source, so that a test cannot pass because nothing was changed.
    """
    source = folder / version
    shutil.copytree(
        ROOT / "operator", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    variable = f'{{"name": "{_MARK}", "value": "{version}"}}'
    _replace(source / _POD, '"env": list(container.env)', f'"env": [*container.env, {variable}]')
    _replace(source / _PROBE, '"timeoutSeconds": ', '"initialDelaySeconds": 1, "timeoutSeconds": ')
    return source


def change_immutable(source: Path) -> None:
    """Have a copied operator give StatefulSets what cannot be changed in place."""
    stateful_set = source / "trading_operator/manifests/stateful_set.py"
    _replace(stateful_set, '"serviceName": part.name', '"serviceName": f"{part.name}-pods"')
    _replace(
        stateful_set, '"podManagementPolicy": "Parallel"', '"podManagementPolicy": "OrderedReady"'
    )


def rendered_by(template: dict[str, dict[str, list[dict[str, list[dict[str, str]]]]]]) -> str:
    """Return the version that rendered a pod template, empty for the operator as it is."""
    env = template["spec"]["containers"][0].get("env", [])
    return next((each["value"] for each in env if each["name"] == _MARK), "")


def _replace(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text, f"{file.name} has no {before}: change this test with it"
    file.write_text(text.replace(before, after))
