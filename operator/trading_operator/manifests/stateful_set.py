"""StatefulSets: databases, and services that must never run twice."""

from collections.abc import Sequence

from trading_operator.manifests.metadata import (
    Manifest,
    Part,
    build_metadata,
    build_part_labels,
    build_selector,
)


def build_claim_template(part: Part, name: str, spec: Manifest) -> Manifest:
    """Build a claim template; its labels tell whose data an orphaned volume holds."""
    labels = build_selector(part.owner, part.component)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }


def build_stateful_set(
    part: Part, replicas: int, template: Manifest, claims: Sequence[Manifest] = ()
) -> Manifest:
    """Build the StatefulSet of a component."""
    spec: Manifest = {
        "replicas": replicas,
        "revisionHistoryLimit": 2,
        # Immutable, so never the Service's own name, which its author may change. One pod needs no
        # headless Service: dependants use the component's address.
        "serviceName": part.name,
        # A broken pod must not hold up its repair, as OrderedReady does (kubernetes#67250).
        "podManagementPolicy": "Parallel",
        # The operator replaces the pods itself, at the component's turn.
        "updateStrategy": {"type": "OnDelete"},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "selector": {"matchLabels": build_selector(part.owner, part.component)},
        "template": template,
    }
    if claims:
        spec["volumeClaimTemplates"] = list(claims)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": build_metadata(part.owner, part.name, build_part_labels(part)),
        "spec": spec,
    }
