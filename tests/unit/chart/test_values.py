"""The values are checked: unknown names and wrong types are refused with the place."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from docs.generate_values import read_values
from trading_operator.api.datastore import EngineName
from unit.chart.rendering import CHART, Chart

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())

WRONG = [
    ({"replicaCount": 2}, "replicaCount"),
    ({"image": {"name": "x"}}, "/image"),
    ({"engines": {"questdb": {"image": "x"}}}, "/engines"),
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
