"""The generated pages are fresh and say what the definitions and the values say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import generate_reference
from docs.generate_reference import build_documents, build_reference, main, stale
from docs.generate_values import build_readme, read_values

CRD = yaml.safe_load("""
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Desk, plural: desks, singular: desk, shortNames: [dk], categories: [trading]}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          description: A desk.
          properties:
            spec:
              description: What it is.
              required: [name]
              x-kubernetes-validations: [{rule: "true", message: "a *rule* | of the spec"}]
              properties:
                name:
                  {type: string, description: "Name, <desk>-x.", minLength: 1, maxLength: 9}
                count: {type: integer, description: How many., minimum: 1}
                size: {x-kubernetes-int-or-string: true, description: How large.}
                labels:
                  type: object
                  description: Labels.
                  additionalProperties: {type: string, pattern: "^a|b$"}
                seats:
                  type: array
                  description: Seats.
                  maxItems: 4
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [row]
                  items:
                    type: object
                    description: One seat.
                    properties:
                      row: {type: string, description: Row., enum: [A, B]}
            status:
              description: What was seen.
              properties: {}
""")
VALUES = """
# Outer.
outer:
  # One line
  # and one more.
  inner: [1, a]
  # Empty.
  map: {}
"""


def row(page: str, field: str) -> str:
    """Return the one table row of a field."""
    (found,) = [line for line in page.splitlines() if re.match(rf"\| \[?`{field}`", line)]
    return found


def test_every_committed_page_is_fresh() -> None:
    assert stale(build_documents()) == [], "run `make crds`"


def test_every_definition_has_a_page() -> None:
    names = {path.name for path in build_documents()}
    assert {"tradingsystem.md", "README.md"} <= names


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("name", r"| `name` (required) | string | Name, \<desk>-x. (1 to 9 characters) |"),
        ("count", "| `count` | integer | How many. (at least 1) |"),
        ("size", "| `size` | string or number | How large. |"),
        ("labels", r"| `labels` | map of string | Labels. (each matches `^a\|b$`) |"),
        (
            "seats",
            "| [`seats`](#specseats) | list of object | Seats. (at most 4 items; unique by row) |",
        ),
        ("row", "| `row` | string | Row. (one of `A`, `B`) |"),
    ],
)
def test_a_field_says_its_type_its_meaning_and_its_bounds(field: str, wanted: str) -> None:
    assert row(build_reference(CRD), field) == wanted


def test_rules_and_names_are_listed() -> None:
    page = build_reference(CRD)
    assert r"- a \*rule\* \| of the spec" in page
    assert "| Names for kubectl | `desks, dk` |" in page
    assert "## spec.seats[]" in page


def test_every_link_within_a_page_leads_to_a_heading() -> None:
    for path, page in build_documents().items():
        headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
        anchors = {re.sub(r"[^a-z0-9_-]", "", heading.lower()) for heading in headings}
        assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors, path


def _fields(schema: dict[str, Any]) -> int:
    """Count the fields of a schema, those of nested objects too."""
    inner = schema.get("items") or schema.get("additionalProperties") or schema
    properties = inner.get("properties", {}) if isinstance(inner, dict) else {}
    return len(properties) + sum(_fields(child) for child in properties.values())


def test_the_reference_of_a_trading_system_has_a_row_for_every_field() -> None:
    (page,) = [text for path, text in build_documents().items() if path.name == "tradingsystem.md"]
    (path,) = (Path(generate_reference.ROOT) / "crds").glob("*tradingsystems.yaml")
    (version,) = yaml.safe_load(path.read_text())["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    wanted = sum(_fields(properties[name]) for name in ("spec", "status"))
    assert len(re.findall(r"^\| \[?`", page, re.MULTILINE)) == wanted
    assert wanted > 100


def test_check_names_a_stale_page_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "desk.md"
    page.write_text("old")
    monkeypatch.setattr(generate_reference, "ROOT", tmp_path)
    monkeypatch.setattr(generate_reference, "build_documents", lambda: {page: "new"})
    assert main(["--check"]) == 1
    assert capsys.readouterr().err == "desk.md is out of date: run `make crds`\n"
    assert page.read_text() == "old"
    assert main([]) == 0
    assert page.read_text() == "new"
    assert main(["--check"]) == 0


def test_a_value_of_the_chart_carries_its_path_default_and_whole_comment() -> None:
    inner, empty = read_values(VALUES)
    assert (inner.path, inner.default) == ("outer.inner", [1, "a"])
    assert inner.description == "One line and one more."
    assert (empty.path, empty.default, empty.description) == ("outer.map", {}, "Empty.")


def test_a_new_value_of_the_chart_makes_its_table_stale() -> None:
    chart = generate_reference.CHART
    readme, values = (chart / "README.md").read_text(), (chart / "values.yaml").read_text()
    changed = build_readme(readme, values + "\n# A new one.\nsurplus: 1\n")
    assert changed != readme
    assert "| `surplus` | `1` | A new one. |" in changed
    assert build_readme(changed, values) == readme
