"""On a cluster that is not ours the demo takes over nothing and removes only its own."""

import re

import pytest

from demo.kubectl import CommandError
from demo.ownership import LABEL, Thing, check_ours, is_labelled, plan_removal
from demo.steps import ROOT, build_flags, build_system, check_images, registry_images

ALL = (
    ("namespace", "autonomous"),
    ("release", "trading-operator"),
    ("crd", "tradingsystems.tradingoperator.io"),
    ("crd", "backups.tradingoperator.io"),
    ("crd", "restores.tradingoperator.io"),
    ("crd", "modeltrainingjobs.tradingoperator.io"),
    ("namespace", "trading-operator"),
)


def things(*foreign: tuple[str, str]) -> list[Thing]:
    return [Thing(*each, ours=each not in foreign) for each in ALL]


def removed(commands: list[tuple[str, ...]]) -> list[tuple[str, str]]:
    return [
        (command[2], command[3]) if command[0] == "kubectl" else ("release", command[2])
        for command in commands
    ]


def test_all_that_is_the_demos_is_removed_in_order() -> None:
    assert removed(plan_removal(things(), [])) == list(ALL)


@pytest.mark.parametrize("foreign", ALL)
def test_what_the_demo_did_not_make_is_neither_taken_over_nor_removed(
    foreign: tuple[str, str],
) -> None:
    with pytest.raises(CommandError, match=f"has {' '.join(foreign)}, .* nothing was changed"):
        check_ours(things(foreign))
    kept = removed(plan_removal(things(foreign), []))
    assert kept == [each for each in ALL if each != foreign]


def test_the_definitions_are_kept_while_another_system_needs_them() -> None:
    commands = removed(plan_removal(things(), ["other/theirs"]))
    assert commands == [each for each in ALL if each[0] != "crd"]


def test_a_cluster_without_anything_of_that_name_is_free_to_use() -> None:
    check_ours([])
    check_ours(things())


@pytest.mark.parametrize(
    ("labels", "ours"), [({}, False), ({LABEL: "false"}, False), ({LABEL: "true"}, True)]
)
def test_the_label_says_who_made_a_thing(labels: dict[str, str], ours: bool) -> None:
    assert is_labelled({"metadata": {"labels": labels}}) is ours
    assert not is_labelled({"metadata": {}})


def test_what_the_chart_makes_gets_the_label() -> None:
    assert r"commonLabels.tradingoperator\.io/demo=true" in build_flags({})


def test_images_of_a_registry_replace_every_image_of_ours() -> None:
    example = (ROOT / "examples/autonomous/tradingsystem.yaml").read_text(encoding="utf-8")
    images = re.findall(r"image: (\S+)", build_system(example, "registry.example/trading/"))
    assert len(images) == 5
    assert all(re.fullmatch(r"registry\.example/trading/[a-z-]+:0\.1\.0", i) for i in images)
    assert build_system(example, "") == example
    settings = registry_images("registry.example/trading/")
    assert settings["image.repository"] == "registry.example/trading/trading-operator"
    assert settings["engines.timescaledb.image"].startswith("registry.example/trading/timescaledb:")


def test_a_foreign_cluster_needs_a_registry_and_ours_takes_none() -> None:
    with pytest.raises(CommandError, match="IMAGES="):
        check_images("current", "")
    with pytest.raises(CommandError, match="CLUSTER=current"):
        check_images("embedded", "registry.example/trading")
    check_images("current", "registry.example/trading")
    check_images("kind", "")
