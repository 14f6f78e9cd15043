"""Pod templates."""

from typing import Any

import pytest

from trading_operator.manifests.metadata import Owner, Part, label_value
from trading_operator.manifests.pod import Container, Pod, SecretFile, build_pod_template

PART = Part(Owner("v1", "K", "s", "n", "u", 1), "app", "app", "1")


def _spec(*files: SecretFile) -> dict[str, object]:
    pod = Pod(Container("image:1"), 1000, 1000, 30, secret_files=files)
    spec: dict[str, object] = build_pod_template(PART, pod, "r")["spec"]
    return spec


def test_all_secret_files_share_one_volume_in_a_fixed_order() -> None:
    one, two = SecretFile("b/k", "b", "k"), SecretFile("a/k", "a", "k")
    assert _spec(one, two, one) == _spec(two, one)


def test_a_pod_without_secrets_mounts_none() -> None:
    assert _spec()["volumes"] == [{"name": "tmp", "emptyDir": {}}]


def test_any_version_becomes_a_valid_label() -> None:
    assert label_value("sha256:" + "a" * 80) == ("sha256-" + "a" * 80)[:63]
    assert label_value("1.2+build_3-") == "1.2-build_3"


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("registry.example:5000/app", "Always"),
        ("app:1", "IfNotPresent"),
        ("app@sha256:00", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_image_and_not_the_image_before(
    image: str, policy: str
) -> None:
    pod = Pod(Container(image), 1000, 1000, 30)
    spec: dict[str, Any] = build_pod_template(PART, pod, "r")["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == policy
