"""The stages of the fake nodes: nothing that is meant for one pod is done to the next one."""

from typing import Any

import yaml

from cluster.fake_nodes import STAGES

Step = dict[str, Any]


def _pod_stages() -> dict[str, list[Step]]:
    documents = yaml.safe_load_all(STAGES.read_text())
    specs = {each["metadata"]["name"]: each["spec"] for each in documents if "spec" in each}
    return {
        name: spec.get("steps") or [{"patch": patch} for patch in spec["next"]["patches"]]
        for name, spec in specs.items()
        if spec["resourceRef"]["kind"] == "Pod"
    }


def test_every_patch_of_a_pod_names_its_uid() -> None:
    patches = [
        step["patch"] for steps in _pod_stages().values() for step in steps if "patch" in step
    ]
    assert len(patches) >= 5
    for patch in patches:
        assert "uid: {{ .metadata.uid | Quote }}" in patch["template"]


def test_only_who_marked_a_pod_deletes_it() -> None:
    deleting = [steps for steps in _pod_stages().values() if {"delete": True} in steps]
    assert deleting
    for mark, delete in deleting:
        assert (
            "resourceVersion: {{ .metadata.resourceVersion | Quote }}" in mark["patch"]["template"]
        )
        assert delete == {"delete": True}
