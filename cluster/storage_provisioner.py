"""A volume provisioner on folders of the host: `python3 -m cluster.storage_provisioner`."""

import argparse
import json
import shutil
import sys
import threading
import time
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

from cluster.kubernetes_api import ApiClient, ApiError
from cluster.layout import STORAGE_PROVISIONER
from cluster.storage_plan import Object, StoragePlan, plan_storage

VOLUMES = "/api/v1/persistentvolumes"
CLAIMS = "/api/v1/persistentvolumeclaims"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
WATCH_SECONDS = 300
RETRY_SECONDS = 1.0
# A lost wake-up costs at most this long.
RESYNC_SECONDS = 30.0
GONE = (404, 409)
# ValueError: a watch that was cut in the middle of a line.
UNREACHABLE = (OSError, ApiError, HTTPException, ValueError)


def log(event: str, **facts: str) -> None:
    """Write one JSON line."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    print(json.dumps({"timestamp": now, "event": event, **facts}), flush=True)


def read_plan(client: ApiClient, root: Path) -> StoragePlan:
    """Read what is there and decide what to do."""
    classes, claims, volumes = (client.get(path)["items"] for path in (CLASSES, CLAIMS, VOLUMES))
    return plan_storage(STORAGE_PROVISIONER, str(root), classes, claims, volumes)


def apply_plan(client: ApiClient, plan: StoragePlan, root: Path) -> None:
    """Carry a plan out; each part may be repeated."""
    for volume in plan.create:
        create_volume(client, volume)
    for name, size in plan.grow:
        client.merge(f"{VOLUMES}/{name}", {"spec": {"capacity": {"storage": size}}})
        log("volume grown", volume=name, size=size)
    for namespace, name, size in plan.report:
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}/status"
        client.merge(path, {"status": {"capacity": {"storage": size}}})
    for name in plan.remove:
        delete_volume(client, name, root)


def create_volume(client: ApiClient, volume: Object) -> None:
    """Make the folder first, then the object that promises it."""
    folder = Path(volume["spec"]["hostPath"]["path"])
    folder.mkdir(parents=True, exist_ok=True)
    # The kubelet applies no fsGroup to such a volume; any user of a pod must be able to write.
    folder.chmod(0o777)
    client.post(VOLUMES, volume)
    log("volume created", volume=volume["metadata"]["name"], path=str(folder))


def is_below(folder: Path, root: Path) -> bool:
    """Tell whether a folder really lies below another one, links and `..` followed."""
    return root.resolve() in folder.resolve().parents


def delete_volume(client: ApiClient, name: str, root: Path) -> None:
    """Remove the folder first: the object is what makes a second try find it."""
    volume = client.get(f"{VOLUMES}/{name}")
    folder = Path(volume["spec"].get("hostPath", {}).get("path", "/"))
    if not is_below(folder, root):
        # The annotation says that it is ours, the path says that it is not: anybody can write one.
        log("volume left alone: its folder is not ours", volume=name, path=str(folder))
        return
    shutil.rmtree(folder, ignore_errors=True)
    client.delete(f"{VOLUMES}/{name}")
    log("volume deleted", volume=name)


def watch(client: ApiClient, path: str, changed: threading.Event) -> None:
    """Set the event at each change of a kind of object, for ever."""
    while True:
        try:
            for _ in client.watch(path, WATCH_SECONDS):
                changed.set()
        except UNREACHABLE as error:
            log("watch broke", path=path, error=str(error))
            time.sleep(RETRY_SECONDS)
        changed.set()


def serve(client: ApiClient, root: Path) -> None:
    """Reconcile at every change, for ever."""
    changed = threading.Event()
    for path in (CLAIMS, VOLUMES, CLASSES):
        threading.Thread(target=watch, args=(client, path, changed), daemon=True).start()
    while True:
        changed.clear()
        try:
            apply_plan(client, read_plan(client, root), root)
        except UNREACHABLE as error:
            # Somebody was quicker, or the API server is away: look again.
            gone = isinstance(error, ApiError) and error.status in GONE
            if not gone:
                log("pass failed", error=str(error))
            time.sleep(RETRY_SECONDS)
            continue
        changed.wait(RESYNC_SECONDS)


def main(arguments: list[str] | None = None) -> int:
    """Run until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder that holds the volumes")
    chosen = parser.parse_args(arguments)
    chosen.root.mkdir(parents=True, exist_ok=True)
    serve(ApiClient(chosen.kubeconfig), chosen.root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
