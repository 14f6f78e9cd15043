"""Writes the API reference, the metrics and the chart's values. `--check` compares instead.

The API reference comes from the generated definitions in crds/, the metrics from the operator's
registry, the table of values from values.yaml.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from docs.generate_metrics import build_metrics_page
from docs.generate_values import build_readme

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
CHART = ROOT / "helm" / "trading-operator"
Schema = dict[str, Any]
# What the API server counts of a value, and the keys that bound it.
BOUNDS = (
    ("{}", "minimum", "maximum"),
    ("{} characters", "minLength", "maxLength"),
    ("{} items", "minItems", "maxItems"),
    ("{} keys", "minProperties", "maxProperties"),
)


def build_reference(crd: Schema) -> str:
    """Build the Markdown reference of one custom resource definition."""
    names, (version,) = crd["spec"]["names"], crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    parts = [
        f"# {names['kind']}",
        "Generated from the definition in `crds/` by `make crds`: do not edit.",
        _escape(schema["description"]),
        _build_identity(crd, version["name"]),
    ]
    for name in ("spec", "status"):
        parts += build_sections(name, schema["properties"][name])
    return "\n\n".join(parts) + "\n"


def _build_identity(crd: Schema, version: str) -> str:
    names = crd["spec"]["names"]
    rows = {
        "apiVersion": f"{crd['spec']['group']}/{version}",
        "kind": names["kind"],
        "Names for kubectl": ", ".join([names["plural"], *names.get("shortNames", [])]),
        "Categories": ", ".join(names.get("categories", [])),
        "Scope": crd["spec"]["scope"],
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | `{rows[key]}` |" for key in rows)])


def build_sections(path: str, schema: Schema) -> Iterator[str]:
    """Build the section of one object and then those of the objects within it."""
    yield f"## {path}"
    yield _escape(schema["description"])
    required = schema.get("required", [])
    rows = [
        _build_row(path, name, child, name in required)
        for name, child in schema["properties"].items()
    ]
    yield "\n".join(["| Field | Type | Meaning |", "|---|---|---|", *rows])
    yield from _build_rules(schema)
    for name, child in schema["properties"].items():
        inner, suffix = _unwrap(child)
        if "properties" in inner:
            described = {"description": child.get("description", ""), **inner}
            yield from build_sections(f"{path}.{name}{suffix}", described)


def _unwrap(schema: Schema) -> tuple[Schema, str]:
    """Return what a list or map holds, and how its path goes on."""
    if schema.get("type") == "array":
        return schema["items"], "[]"
    if isinstance(schema.get("additionalProperties"), dict):
        return schema["additionalProperties"], ".*"
    return schema, ""


def _build_row(path: str, name: str, schema: Schema, required: bool) -> str:
    inner, suffix = _unwrap(schema)
    field = f"`{name}`"
    if "properties" in inner:
        field = f"[{field}](#{_anchor(f'{path}.{name}{suffix}')})"
    limits = " ".join(_build_limits(schema, inner)).replace("|", "\\|")
    text = f"{_escape(schema['description'])} {limits}".rstrip()
    return f"| {field}{' (required)' if required else ''} | {_build_type(schema)} | {text} |"


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return "".join(sign for sign in heading.lower() if sign.isalnum() or sign in "-_")


def _build_type(schema: Schema) -> str:
    inner, suffix = _unwrap(schema)
    if schema.get("x-kubernetes-int-or-string"):
        return "string or number"
    if suffix:
        container = "list" if suffix == "[]" else "map"
        return f"{container} of {_build_type(inner)}"
    return str(schema["type"])


def _build_limits(schema: Schema, inner: Schema) -> Iterator[str]:
    """Say what is checked of the value, and of each item when it is a list or a map."""
    own = _build_bounds(schema)
    if own:
        yield f"({own})"
    if inner is not schema and _build_bounds(inner):
        yield f"(each {_build_bounds(inner)})"


def _build_bounds(schema: Schema) -> str:
    found = [
        words.format(_build_range(schema.get(least), schema.get(most)))
        for words, least, most in BOUNDS
        if least in schema or most in schema
    ]
    if "pattern" in schema:
        found.append(f"matches `{schema['pattern']}`")
    if "enum" in schema:
        found.append("one of " + ", ".join(f"`{choice}`" for choice in schema["enum"]))
    if schema.get("x-kubernetes-list-type") == "map":
        keys = ", ".join(schema["x-kubernetes-list-map-keys"])
        found.append(f"unique by {keys}")
    return "; ".join(found)


def _build_range(least: int | None, most: int | None) -> str:
    """Say a range of numbers in words."""
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if least is None else f"{least} to {most}"


def _escape(text: str) -> str:
    """Make text that Markdown shows as it is, also in a table; `code` is left alone."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*<|]|(?<=\])\()", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _build_rules(schema: Schema) -> Iterator[str]:
    """List the rules that compare fields with each other or with their old values."""
    rules = [*schema.get("x-kubernetes-validations", [])]
    for child in schema["properties"].values():
        rules += child.get("x-kubernetes-validations", [])
    if rules:
        yield "\n".join(["Refused:", "", *(f"- {_escape(rule['message'])}" for rule in rules)])


def build_documents() -> dict[Path, str]:
    """Build every generated page: its path and its text."""
    pages: dict[Path, str] = {}
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        crd = yaml.safe_load(path.read_text(encoding="utf-8"))
        page = REFERENCE / f"{crd['spec']['names']['singular']}.md"
        pages[page] = build_reference(crd)
    readme = CHART / "README.md"
    values = (CHART / "values.yaml").read_text(encoding="utf-8")
    pages[readme] = build_readme(readme.read_text(encoding="utf-8"), values)
    pages[ROOT / "docs" / "metrics.md"] = build_metrics_page()
    return pages


def stale(pages: dict[Path, str]) -> list[Path]:
    """Return the pages whose file is absent or says something else."""
    return [
        path
        for path, text in pages.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the stale pages, or with --check name them; returns the exit status."""
    pages = build_documents()
    outdated = stale(pages)
    if "--check" in arguments:
        for path in outdated:
            sys.stderr.write(f"{path.relative_to(ROOT)} is out of date: run `make crds`\n")
        return 1 if outdated else 0
    for path in outdated:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
