"""The values are checked: unknown names and wrong types are refused with the place."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.generate_values import read_values
from trading_operator.api.datastore import EngineName
from trading_operator.settings import Settings
from unit.chart.rendering import CHART, FORMER_VALUES, Chart, Manifest, environment, only

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())

WRONG = [
    ({"replicaCount": 2}, "replicaCount"),
    ({"image": {"name": "x"}}, "/image"),
    ({"engines": {"questdb": {"image": "x"}}}, "/engines"),
    ({"backup": {"image": ":x"}}, "/backup/image"),
    ({"resources": {"limits": {"gpu": "1"}}}, "/resources/limits"),
    ({"metrics": {"serviceMonitor": {"enable": True}}}, "/metrics/serviceMonitor"),
    ({"networkPolicy": {"from": []}}, "/networkPolicy"),
    ({"affinity": {"podAffinity": {"required": []}}}, "/affinity/podAffinity"),
    ({"tolerations": [{"keys": "a"}]}, "/tolerations/0"),
    ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "/topologySpreadConstraints/0"),
    ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0"),
    ({"replicas": "2"}, "/replicas"),
    ({"replicas": -1}, "/replicas"),
    ({"crds": {"create": "yes"}}, "/crds/create"),
    ({"rbac": {"scope": "namespace"}}, "/rbac/scope"),
    ({"logLevel": "verbose"}, "/logLevel"),
    ({"clusterNameServers": {"ports": ["dns"]}}, "/clusterNameServers/ports/0"),
    ({"clusterNameServers": {"podLabels": {"a": "b,c"}}}, "/clusterNameServers/podLabels/a"),
    ({"image": {"digest": "sha256:123"}}, "/image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"watchNamespaces": ["Desk_A"]}, "/watchNamespaces/0"),
    ({"watchNamespaces": ["a", "a"]}, "/watchNamespaces"),
    ({"networkPolicy": {"apiServerCidrs": ["10.0.0.1"]}}, "/networkPolicy/apiServerCidrs/0"),
    ({"metrics": {"service": {"port": 70000}}}, "/metrics/service/port"),
    ({"resources": {"requests": {"memory": "lots"}}}, "/resources/requests/memory"),
    ({"commonLabels": {"app.kubernetes.io/name": "mine"}}, "/commonLabels"),
    ({"podLabels": {"app.kubernetes.io/instance": "mine"}}, "/podLabels"),
    ({"extraEnv": [{"name": "TRADING_OPERATOR_PORT", "value": "1"}]}, "/extraEnv/0/name"),
    ({"extraEnv": [{"name": "A", "valueFrom": {}}]}, "/extraEnv/0/valueFrom"),
]


@pytest.mark.parametrize(("values", "place"), WRONG, ids=lambda case: json.dumps(case)[:60])
def test_a_value_that_makes_no_sense_is_refused_with_its_place(
    chart: Chart, values: Mapping[str, Any], place: str
) -> None:
    message = chart.refusal(values)
    assert "schema" in message
    assert place in message


@pytest.mark.parametrize(
    ("values", "mend"),
    [
        ({"watchNamespaces": ["desk-a"]}, "set rbac.scope=namespaced"),
        (
            {"metrics": {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}}},
            "set metrics.service.enabled=true",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_the_mend(
    chart: Chart, values: Mapping[str, Any], mend: str
) -> None:
    assert mend in chart.refusal(values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"replicas": 2, "rbac": {"scope": "namespaced"}, "watchNamespaces": ["a", "b"]},
        {"networkPolicy": {"enabled": True}, "metrics": {"podMonitor": {"enabled": True}}},
        {"crds": {"create": False}, "rbac": {"create": False}, "serviceAccount": {"create": False}},
        {"global": {"shared": "by a parent chart"}},
    ],
)
def test_the_chart_passes_a_strict_lint(chart: Chart, values: Mapping[str, Any]) -> None:
    done = chart.lint(values)
    assert done.returncode == 0, done.stdout + done.stderr


def _objects(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Find every schema of an object, wherever it stands."""
    if isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from _objects(item, f"{path}/{number}")
    elif isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, value in schema.items():
            yield from _objects(value, f"{path}/{key}")


def test_no_object_of_the_schema_takes_unknown_names() -> None:
    open_ended = {
        path
        for path, schema in _objects(SCHEMA)
        if schema.get("additionalProperties") is not False
        and not isinstance(schema.get("additionalProperties"), dict)
    }
    # Helm itself hands `global` down to a subchart.
    assert open_ended == {"/properties/global"}


def _schema_paths(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, child in schema["properties"].items():
        yield f"{prefix}{name}"
        if "properties" in child and name != "affinity":
            yield from _schema_paths(child, f"{prefix}{name}.")


def _default_paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, child in values.items():
        yield f"{prefix}{name}"
        if isinstance(child, dict):
            yield from _default_paths(child, f"{prefix}{name}.")


def test_every_value_of_the_schema_has_a_default_and_the_other_way_round() -> None:
    unset = {"global", "resources.limits.cpu"} | {
        f"resources.{kind}.ephemeral-storage" for kind in ("requests", "limits")
    }
    assert set(_schema_paths(SCHEMA)) - unset == set(_default_paths(DEFAULTS))


def test_every_value_has_a_comment_of_its_own() -> None:
    values = read_values((CHART / "values.yaml").read_text())
    assert [value.path for value in values if not value.description] == []
    described = [value.description for value in values]
    assert len(described) - len(set(described)) <= 1  # the two monitors' intervals


def test_there_is_an_image_value_for_every_engine() -> None:
    assert set(DEFAULTS["engines"]) == {engine.value.lower() for engine in EngineName}


@pytest.fixture
def reused(chart: Chart, tmp_path: Path) -> Chart:
    """The chart as `helm upgrade --reuse-values` renders it: it knows the former values alone."""
    folder = tmp_path / "trading-operator"
    shutil.copytree(CHART, folder)
    shutil.copyfile(FORMER_VALUES, folder / "values.yaml")
    return Chart(chart.helm, folder)


def read_settings(manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of an operator with the environment that the chart gives it."""
    with monkeypatch.context() as patch:
        for name, variable in environment(manifests).items():
            patch.setenv(name, variable.get("value", "from-the-pod"))
        return Settings()


def without_environment(manifests: list[Manifest]) -> list[Manifest]:
    """Take out the variables of the pods: one that is not set and its default mean the same."""
    for manifest in manifests:
        if manifest["kind"] in ("Deployment", "Job"):
            (program,) = manifest["spec"]["template"]["spec"]["containers"]
            del program["env"]
    return manifests


def test_values_of_an_older_release_that_lack_the_newer_ones_render_as_the_defaults(
    chart: Chart, reused: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = set(_default_paths(DEFAULTS)) - set(
        _default_paths(yaml.safe_load(FORMER_VALUES.read_text()))
    )
    assert {"nameServers", "uninstallHook", "metrics.dashboard", "metrics.prometheusRule"} < lacking
    former, fresh = (each.render({"replicas": 2}) for each in (reused, chart))
    assert read_settings(former, monkeypatch) == read_settings(fresh, monkeypatch)
    assert without_environment(former) == without_environment(fresh)
    assert without_environment(reused.hooks()) == without_environment(chart.hooks())


def test_what_an_older_release_lacks_can_be_switched_on_in_part(
    chart: Chart, reused: Chart
) -> None:
    values = {
        "replicas": 2,
        "uninstallHook": {"enabled": True},
        "metrics": {name: {"enabled": True} for name in ("prometheusRule", "dashboard")},
    }
    former, fresh = (without_environment(each.render(values)) for each in (reused, chart))
    assert former == fresh
    assert only(reused.hooks(values), "Job")["spec"]["activeDeadlineSeconds"] == 120
    assert reused.hooks({"uninstallHook": {"enabled": False}}) == []
