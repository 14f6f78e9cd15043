"""The generated CRDs: complete, bounded, up to date."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from trading_operator import crdgen
from trading_operator.api.common import QUANTITY_PATTERN
from trading_operator.crdgen import KINDS, UnsupportedSchemaError, build_crd, build_schema

Node = dict[str, Any]


def _walk(path: str, node: Node) -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from _walk(f"{path}.{name}", child)
    if "items" in node:
        yield from _walk(f"{path}[]", node["items"])
    if "additionalProperties" in node:
        yield from _walk(f"{path}{{}}", node["additionalProperties"])


def _nodes() -> list[tuple[str, Node]]:
    found: list[tuple[str, Node]] = []
    for kind in KINDS:
        version = build_crd(kind)["spec"]["versions"][0]
        found += _walk(kind.kind, version["schema"]["openAPIV3Schema"])
    return found


def test_every_field_is_described() -> None:
    fields = [(path, node) for path, node in _nodes() if not path.endswith(("[]", "{}"))]
    undescribed = [path for path, node in fields if not node.get("description")]
    # The API server describes metadata itself.
    assert [path for path in undescribed if ".metadata" not in path] == []


def test_every_string_list_and_map_is_bounded() -> None:
    unbounded = []
    for path, node in _nodes():
        if path.endswith((".apiVersion", ".kind")):
            continue  # the API server checks them before any rule runs
        bounds = {
            "string": ("maxLength", "enum"),
            "array": ("maxItems",),
            "integer": ("maximum", "minimum"),
        }.get(node.get("type", ""), ())
        if node.get("type") == "object" and "additionalProperties" in node:
            bounds = ("maxProperties",)
        if bounds and not any(bound in node for bound in bounds):
            unbounded.append(path)
    assert unbounded == []


def test_the_spec_is_never_defaulted_or_left_open() -> None:
    for path, node in _nodes():
        assert "default" not in node, path
        assert "x-kubernetes-preserve-unknown-fields" not in node, path
        assert "$ref" not in node, path
        assert node.get("type") != "number", path


def test_quantities_may_be_numbers_or_text() -> None:
    nodes = dict(_nodes())
    size = nodes["TradingSystem.spec.volumes[].size"]
    assert size["x-kubernetes-int-or-string"] is True
    assert "type" not in size
    # Only the schema stops a wrong amount at admission.
    assert size["pattern"] == QUANTITY_PATTERN


def test_lists_of_named_things_are_maps_so_that_duplicates_are_refused() -> None:
    nodes = dict(_nodes())
    for field in ("datastores", "services", "configs", "volumes", "env"):
        node = nodes[f"TradingSystem.spec.{field}"]
        assert node["x-kubernetes-list-type"] == "map"
        assert node["x-kubernetes-list-map-keys"] == ["name"]


def test_names_and_columns_serve_kubectl() -> None:
    spec = build_crd(KINDS[0])["spec"]
    assert spec["names"]["shortNames"] == ["tsys"]
    assert spec["names"]["categories"] == ["trading"]
    version = spec["versions"][0]
    assert version["subresources"] == {"status": {}}
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert columns == ["Ready", "Reason", "Components", "Revision", "Mode", "Age"]


def test_the_committed_files_are_what_the_models_say() -> None:
    assert crdgen.stale_files() == []


def test_generating_twice_gives_the_same_bytes() -> None:
    assert list(crdgen.build_files()) == list(crdgen.build_files())


def test_the_check_says_which_file_is_out_of_date(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(crdgen, "ROOT", tmp_path)
    monkeypatch.setattr(crdgen, "CRD_FOLDER", tmp_path / "crds")
    monkeypatch.setattr(crdgen, "CHART_FOLDER", tmp_path / "chart")
    assert crdgen.main(["--check"]) == 1
    assert "crds/tradingoperator.io_tradingsystems.yaml: out of date" in capsys.readouterr().err
    assert crdgen.main([]) == 0
    assert crdgen.main(["--check"]) == 0


def test_a_union_is_refused_with_its_path() -> None:
    class Inner(BaseModel):
        either: int | str

    class Outer(BaseModel):
        inner: Inner

    with pytest.raises(UnsupportedSchemaError, match=r"Outer\.inner\.either: a union"):
        build_schema(Outer)


def test_the_pattern_of_a_maps_keys_reaches_its_rule_as_it_is() -> None:
    class Outer(BaseModel):
        labels: dict[Annotated[str, Field(pattern=r"^a\.b$", max_length=9)], str]

    (rule,) = build_schema(Outer)["properties"]["labels"]["x-kubernetes-validations"]
    # In CEL's plain strings a backslash begins an escape of its own: the CRD would be refused.
    assert rule["rule"] == r"self.all(key, size(key) <= 9 && key.matches(r'^a\.b$'))"


def test_the_chart_upgrades_the_crd_and_keeps_it_on_uninstall() -> None:
    chart = {path: text for path, text in crdgen.build_files() if path.parent.name == "crds"}
    text = next(text for path, text in chart.items() if "templates" in path.parts)
    assert text.startswith("{{- if .Values.crds.create }}\n")
    assert text.endswith("{{- end }}\n")
    assert "helm.sh/resource-policy: keep" in text
