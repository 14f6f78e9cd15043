"""Deployments: services of any number of pods."""

from trading_operator.manifests.metadata import (
    Manifest,
    Part,
    build_metadata,
    build_part_labels,
    build_selector,
)

_OLD_REPLICA_SETS = 2  # the way back is the operator's own, not theirs


def build_deployment(part: Part, replicas: int, template: Manifest, surge: bool) -> Manifest:
    """Build the Deployment of a service; without `surge` a pod goes before its successor comes."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": build_metadata(part.owner, part.name, build_part_labels(part)),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": _OLD_REPLICA_SETS,
            "selector": {"matchLabels": build_selector(part.owner, part.component)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": _build_rolling(surge)},
            "template": template,
        },
    }


def _build_rolling(surge: bool) -> Manifest:
    # What the old pod holds (a device, a volume) would keep a new one waiting for ever.
    if surge:
        return {"maxSurge": "25%", "maxUnavailable": 0}
    return {"maxSurge": 0, "maxUnavailable": 1}
