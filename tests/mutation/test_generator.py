"""What the generator promises: the same cases again for a seed, and every leaf in its turn."""

from random import Random
from typing import Any

import pytest

from mutation.bases import build_bases
from mutation.cases import Generator
from mutation.changes import differences, put
from mutation.schema import leaves, read_schema
from mutation.text import matches, sample
from mutation.values import allows, choose_invalid, choose_valid
from mutation.verdict import judge, names_a_field

SCHEMA = read_schema()


def test_a_seed_and_an_index_make_the_same_case_again() -> None:
    one, other = (Generator(3, SCHEMA, build_bases()) for _ in range(2))
    assert list(one.build(40)) == list(other.build(40))
    assert one.build_one(17) == other.build_one(17)
    assert list(Generator(4, SCHEMA, build_bases()).build(40)) != list(one.build(40))


def test_a_thousand_cases_set_every_leaf_to_right_and_to_wrong_values() -> None:
    cases = list(Generator(5, SCHEMA, build_bases()).build(1000))
    for kind in ("valid", "invalid"):
        assert {case.about for case in cases if case.kind == kind} == leaves(SCHEMA).keys()


def test_no_case_changes_nothing() -> None:
    bases = build_bases()
    for case in Generator(6, SCHEMA, bases).build(200):
        assert any(differences({} if case.is_new else bases[case.base], case.spec))


@pytest.mark.parametrize("path", sorted(leaves(SCHEMA)))
def test_values_are_right_or_wrong_as_the_schema_says(path: str) -> None:
    node, rng = leaves(SCHEMA)[path], Random(path)
    for _ in range(50):
        assert allows(node, choose_valid(rng, node, ("api", "broker")))
        assert not allows(node, choose_invalid(rng, node))


def test_texts_match_the_pattern_that_they_are_drawn_from() -> None:
    for node in leaves(SCHEMA).values():
        if "pattern" in node:
            text = sample(Random(1), node["pattern"])
            assert matches(node["pattern"], text)


def test_differences_name_path_and_values() -> None:
    before = {"services": [{"name": "a", "replicas": 1}]}
    after = put(before, ("services", 0, "replicas"), 2)
    assert list(differences(before, after)) == ["spec.services[0].replicas: 1 -> 2"]


@pytest.mark.parametrize(
    ("field", "message", "named"),
    [
        ("spec.services[0].image", "", True),
        ("spec.services[0]", "", True),
        ("spec.services[1].image", "must be shorter", False),
        ("spec", "is invalid", False),
        ("", 'strict decoding error: unknown field "spec.services[0].image"', True),
        ("spec.services[0].health", "health needs an image", True),
    ],
)
def test_only_a_refusal_that_names_the_changed_field_counts(
    field: str, message: str, named: bool
) -> None:
    answer: dict[str, Any] = {"details": {"causes": [{"field": field}]}, "message": message}
    assert names_a_field(answer, ["spec.services[0].image"]) is named


def test_a_refusal_of_another_services_field_does_not_count() -> None:
    field = "spec.services[0].image"
    message = f'TradingSystem "a" is invalid: {field}: Invalid value: "x": an image needs a tag'
    answer = {"details": {"causes": [{"field": field}]}, "message": message}
    assert not names_a_field(answer, ["spec.services[3].autoscaling.max"])
    assert names_a_field(answer, [field])


def test_a_refusal_may_name_the_list_or_the_value_that_changed() -> None:
    answer = {"details": {"causes": [{"field": "spec.services[0].health.port"}]}}
    ports = {**answer, "message": "names a port that ports does not have"}
    assert names_a_field(ports, ["spec.services[0].ports[0].name: 'http' -> 'key'"])
    workload = {**answer, "message": "a SingleWriter service has one pod"}
    line = "spec.services[0].workload: 'Replicated' -> 'SingleWriter'"
    assert names_a_field(workload, [line])
    assert not names_a_field(ports, [line])


def _system(ready: str, stalled: str, generation: int = 1, reason: str = "R") -> dict[str, Any]:
    more = {"observedGeneration": 1, "message": "m", "reason": reason}
    conditions = [
        {"type": "Ready", "status": ready, **more},
        {"type": "Stalled", "status": stalled, **more},
    ]
    return {
        "metadata": {"generation": generation},
        "spec": {},
        "status": {"conditions": conditions},
    }


def test_only_what_is_said_of_the_present_generation_is_an_ending() -> None:
    assert judge(_system("True", "False")) == "Ready"
    assert judge(_system("False", "True")) == "Stalled"
    assert judge(_system("True", "False", generation=2)) == ""
    assert judge(_system("False", "False", reason="PodsStarting")) == ""
    assert judge(_system("False", "True", reason="")) == ""
    assert judge(_system("False", "False", reason="Unschedulable")) == "pods fail"
