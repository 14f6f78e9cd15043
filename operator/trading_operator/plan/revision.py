"""Revisions: the digest of what decides a component's pods."""

from collections.abc import Mapping

from trading_operator.manifests.digest import digest_of
from trading_operator.manifests.metadata import Manifest, Part
from trading_operator.manifests.pod import Pod, build_pod_template


def build_revised_template(
    part: Part, pod: Pod, outside: Mapping[str, str]
) -> tuple[str, Manifest]:
    """Build the pod template with its revision.

    `outside` holds the digests of what the pods read and the operator did not write, so that
    they roll when its owner changes it.
    """
    template = build_pod_template(part, pod, "")
    # Labels change nothing that a pod does.
    revision = digest_of([template["spec"], dict(outside)])
    return revision, build_pod_template(part, pod, revision)
