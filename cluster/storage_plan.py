"""What the volume provisioner has to do, decided from what the API server shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"


@dataclass(frozen=True)
class StoragePlan:
    """Volumes to create, to grow and to remove; claims whose new size is to be reported."""

    create: tuple[Object, ...] = ()
    grow: tuple[tuple[str, str], ...] = ()
    report: tuple[tuple[str, str, str], ...] = ()
    remove: tuple[str, ...] = ()


def plan_storage(
    provisioner: str,
    root: str,
    classes: Iterable[Object],
    claims: Iterable[Object],
    volumes: Iterable[Object],
) -> StoragePlan:
    """Compare claims and volumes of our storage classes and say what is missing."""
    ours = {
        item["metadata"]["name"]: item for item in classes if item["provisioner"] == provisioner
    }
    claims = [claim for claim in claims if claim["spec"].get("storageClassName") in ours]
    existing = {
        volume["metadata"]["name"]: volume
        for volume in volumes
        if volume["metadata"].get("annotations", {}).get(PROVISIONED_BY) == provisioner
    }
    return StoragePlan(
        create=tuple(
            build_volume(claim, ours[claim["spec"]["storageClassName"]], provisioner, root)
            for claim in claims
            if is_waiting(claim, ours[claim["spec"]["storageClassName"]])
            and volume_name(claim) not in existing
        ),
        grow=tuple(_plan_growth(claims, existing)),
        report=tuple(_plan_reports(claims, existing)),
        remove=tuple(name for name, volume in existing.items() if is_disposable(volume)),
    )


def volume_name(claim: Object) -> str:
    """Return the name of a claim's volume; derived, so that a second try makes no second one."""
    return f"pvc-{claim['metadata']['uid']}"


def is_waiting(claim: Object, storage_class: Object) -> bool:
    """Tell whether a claim waits for us: unbound, and its pod's node is known if that matters."""
    if claim["spec"].get("volumeName") or "deletionTimestamp" in claim["metadata"]:
        return False
    if storage_class.get("volumeBindingMode") == "Immediate":
        return True
    return SELECTED_NODE in claim["metadata"].get("annotations", {})


def is_disposable(volume: Object) -> bool:
    """Tell whether a volume was given back and its class says that it goes then."""
    facts = volume.get("status", {}).get("phase"), volume["spec"]["persistentVolumeReclaimPolicy"]
    return facts == ("Released", "Delete")


def build_volume(claim: Object, storage_class: Object, provisioner: str, root: str) -> Object:
    """Build the volume of one claim: a folder of the host."""
    metadata, spec = claim["metadata"], claim["spec"]
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    name = volume_name(claim)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: provisioner}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "volumeMode": "Filesystem",
            "claimRef": reference,
            "hostPath": {"path": f"{root}/{name}", "type": "DirectoryOrCreate"},
        },
    }


def _bound(claims: Iterable[Object], existing: dict[str, Object]) -> list[tuple[Object, Object]]:
    pairs = ((claim, existing.get(claim["spec"].get("volumeName", ""))) for claim in claims)
    return [(claim, volume) for claim, volume in pairs if volume is not None]


def _plan_growth(claims: list[Object], existing: dict[str, Object]) -> list[tuple[str, str]]:
    return [
        (volume["metadata"]["name"], wanted)
        for claim, volume in _bound(claims, existing)
        if (wanted := claim["spec"]["resources"]["requests"]["storage"])
        != volume["spec"]["capacity"]["storage"]
    ]


def _plan_reports(claims: list[Object], existing: dict[str, Object]) -> list[tuple[str, str, str]]:
    return [
        (claim["metadata"]["namespace"], claim["metadata"]["name"], size)
        for claim, volume in _bound(claims, existing)
        if claim.get("status", {}).get("phase") == "Bound"
        and (size := volume["spec"]["capacity"]["storage"])
        != claim["status"].get("capacity", {}).get("storage")
    ]
