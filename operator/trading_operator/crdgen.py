"""Write the CRDs from the API models: `python3 -m trading_operator.crdgen [--check]`."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from trading_operator.api import backup, model_training_job, restore, trading_system
from trading_operator.api.common import GROUP, VERSION
from trading_operator.manifests.metadata import Manifest

ROOT = Path(__file__).resolve().parents[2]
CRD_FOLDER = ROOT / "crds"
CHART_FOLDER = ROOT / "helm" / "trading-operator" / "templates" / "crds"

_LINE_WIDTH = 100
_LONGEST_LABEL = 63
# What the API server does itself or refuses: the spec is never defaulted, so that it stays as
# its author wrote it.
_DROPPED = ("title", "default", "additionalProperties", "discriminator", "$defs")
_MAP_KEYS = ("patternProperties", "propertyNames")
_INT_OR_STRING = "x-kubernetes-int-or-string"
_CHART_HEAD = "{{- if .Values.crds.create }}\n"
_CHART_TAIL = "{{- end }}\n"
_CHART_LABELS = '  labels:\n    {{- include "trading-operator.labels" . | nindent 4 }}\n'


class UnsupportedSchemaError(Exception):
    """A model uses a type that a structural schema cannot express."""


@dataclass(frozen=True)
class Kind:
    """One resource: its names, its models and its columns."""

    kind: str
    plural: str
    short_name: str
    model: type[BaseModel]
    columns: list[dict[str, Any]]
    root_rules: list[dict[str, str]]


KINDS = (
    Kind(
        trading_system.KIND,
        trading_system.PLURAL,
        "tsys",
        trading_system.TradingSystem,
        trading_system.printer_columns(),
        trading_system.root_rules(),
    ),
    Kind(
        backup.KIND,
        backup.PLURAL,
        backup.SHORT_NAME,
        backup.Backup,
        backup.printer_columns(),
        backup.root_rules(),
    ),
    Kind(
        restore.KIND,
        restore.PLURAL,
        restore.SHORT_NAME,
        restore.Restore,
        restore.printer_columns(),
        restore.root_rules(),
    ),
    Kind(
        model_training_job.KIND,
        model_training_job.PLURAL,
        model_training_job.SHORT_NAME,
        model_training_job.ModelTrainingJob,
        model_training_job.printer_columns(),
        model_training_job.root_rules(),
    ),
)


def build_schema(model: type[BaseModel]) -> Manifest:
    """Build the structural schema of a model; raises UnsupportedSchemaError."""
    raw = model.model_json_schema(by_alias=True, mode="validation")
    schema = _structural(raw, raw.get("$defs", {}), model.__name__)
    if not isinstance(schema, dict):
        raise UnsupportedSchemaError(f"{model.__name__}: not an object")
    return schema


def _structural(node: Manifest, definitions: Manifest, path: str) -> Manifest:
    node = _resolve(node, definitions)
    node = _without_null(node, path)
    if "$ref" in node:
        return _structural(node, definitions, path)
    kept = {key: value for key, value in node.items() if key not in _DROPPED}
    if "const" in kept:
        kept["enum"] = [kept.pop("const")]
    if "properties" in node:
        kept["properties"] = {
            name: _structural(child, definitions, f"{path}.{name}")
            for name, child in node["properties"].items()
        }
    if "items" in node:
        kept["items"] = _structural(node["items"], definitions, f"{path}[]")
    if "patternProperties" in node:
        kept |= _map_schema(node, definitions, path)
    return _int_or_string({key: value for key, value in kept.items() if key not in _MAP_KEYS})


def _resolve(node: Manifest, definitions: Manifest) -> Manifest:
    """Replace a reference by what it names; the field's own description wins."""
    if "$ref" not in node:
        return node
    target = definitions[node["$ref"].rsplit("/", 1)[-1]]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return {**target, **beside}


def _without_null(node: Manifest, path: str) -> Manifest:
    """Unwrap `X | None`: absence says it; refuse any other union."""
    if "anyOf" not in node:
        return node
    kept = [option for option in node["anyOf"] if option.get("type") != "null"]
    if len(kept) != 1:
        raise UnsupportedSchemaError(f"{path}: a union has no structural schema; use one type")
    beside = {key: value for key, value in node.items() if key != "anyOf"}
    return {**kept[0], **beside}


def _map_schema(node: Manifest, definitions: Manifest, path: str) -> Manifest:
    """Build the schema of a map; a structural schema bounds its keys by a CEL rule alone."""
    ((pattern, values),) = node["patternProperties"].items()
    longest = node["propertyNames"]["maxLength"]
    rule = {
        "rule": f"self.all(key, size(key) <= {longest} && key.matches(r'{pattern}'))",
        "message": f"keys must match {pattern} and have at most {longest} characters",
    }
    return {
        "additionalProperties": _structural(values, definitions, f"{path}{{}}"),
        "x-kubernetes-validations": [*node.get("x-kubernetes-validations", ()), rule],
    }


def _int_or_string(node: Manifest) -> Manifest:
    if not node.get(_INT_OR_STRING):
        return node
    rest = {key: value for key, value in node.items() if key != "type"}
    return {"anyOf": [{"type": "integer"}, {"type": "string"}], **rest}


def build_crd(kind: Kind) -> Manifest:
    """Build the CustomResourceDefinition of a kind."""
    schema = build_schema(kind.model)
    schema["properties"] = {
        "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
        "kind": {"type": "string", "description": f"{kind.kind}."},
        # Without a bound here a rule on the name exceeds the cost budget.
        "metadata": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": _LONGEST_LABEL}},
        },
        **schema["properties"],
    }
    schema["x-kubernetes-validations"] = kind.root_rules
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": _build_names(kind),
            "scope": "Namespaced",
            "versions": [_build_version(kind, schema)],
        },
    }


def _build_names(kind: Kind) -> Manifest:
    return {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "shortNames": [kind.short_name],
        "categories": ["trading"],
    }


def _build_version(kind: Kind, schema: Manifest) -> Manifest:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": kind.columns,
    }


class _PlainDumper(yaml.SafeDumper):
    """Writes no anchors: a reader sees every field where it is."""

    def ignore_aliases(self, data: Any) -> bool:
        """Say that nothing is an alias."""
        return True


def render(manifest: Manifest) -> str:
    """Render a manifest as YAML, the same way every time."""
    return yaml.dump(manifest, Dumper=_PlainDumper, sort_keys=False, width=_LINE_WIDTH)


def render_template(crd: Manifest) -> str:
    """Render a CRD as the chart's template: upgraded by the chart, kept on uninstall."""
    metadata = {**crd["metadata"], "annotations": {"helm.sh/resource-policy": "keep"}}
    head = render({"apiVersion": crd["apiVersion"], "kind": crd["kind"], "metadata": metadata})
    body = render({"spec": crd["spec"]})
    escaped = body.replace("{{", '{{ "{{" }}')
    return f"{_CHART_HEAD}{head}{_CHART_LABELS}{escaped}{_CHART_TAIL}"


def build_files() -> Iterator[tuple[Path, str]]:
    """Yield every generated file with its content."""
    for kind in KINDS:
        crd = build_crd(kind)
        name = f"{GROUP}_{kind.plural}.yaml"
        yield CRD_FOLDER / name, render(crd)
        yield CHART_FOLDER / name, render_template(crd)


def write_files() -> None:
    """Write the generated files."""
    for path, content in build_files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def stale_files() -> list[Path]:
    """Return the generated files that are not what the models say."""
    return [
        path for path, content in build_files() if not path.exists() or path.read_text() != content
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write the CRDs, or with --check say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when stale")
    if not parser.parse_args(arguments).check:
        write_files()
        return 0
    stale = stale_files()
    for path in stale:
        sys.stderr.write(f"{path.relative_to(ROOT)}: out of date; run trading_operator.crdgen\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
