"""A Backup and a Restore over their whole life, with all that they may meet."""

from functools import partial
from typing import Any

from integration.backups import build_backup, build_restore, end_pod, succeeded
from integration.kube_client import Namespace, eventually
from integration.systems import build_datastore, build_service, build_system

Manifest = dict[str, Any]


def back_up(space: Namespace, system: str) -> None:
    """Let a Backup live: take parts of it away, meet the names of others, take it out again."""
    kept = build_backup("kept", system, schedule={"full": "0 3 1 1 *", "incremental": "0 4 1 1 *"})
    space.create("backups", kept)
    eventually(lambda: space.names("cronjobs") == {"kept-full", "kept-incremental"})
    label = {"metadata": {"labels": {"app.kubernetes.io/instance": None}}}
    space.merge("cronjobs", "kept-full", label)
    path = space.path("cronjobs", "kept-full")
    eventually(lambda: "app.kubernetes.io/instance" in _labels(space, path))
    before = _uid(space, "cronjobs", "kept-full")
    space.delete("cronjobs", "kept-full")
    eventually(lambda: _uid(space, "cronjobs", "kept-full") not in {None, before})
    for kind, name in (("cronjobs", "taken-drill"), ("jobs", "taken-once")):
        space.create(kind, _foreign_job(kind, name))
    taken = build_backup("taken", system, verify={"restoreDrill": "0 5 1 1 *"})
    space.create("backups", taken)
    eventually(lambda: _refused(space, "taken") >= {"CronJob", "Job"})
    space.merge("backups", "kept", {"spec": {"schedule": {"incremental": None}}})
    eventually(lambda: space.get("cronjobs", "kept-incremental") is None)
    for name in ("kept", "taken"):
        space.delete("backups", name)
        eventually(partial(is_missing, space, "backups", name))


def restore(space: Namespace) -> None:
    """Bring data of a small system back, and take its Job's file away meanwhile."""
    small = build_system("small", [build_service("api", "db")], [build_datastore("db")])
    space.create("tradingsystems", small)
    eventually(lambda: space.is_ready("small"))
    yearly = {"full": "0 3 1 1 *"}
    space.create("backups", build_backup("saved", "small", schedule=yearly))
    space.create("restores", build_restore("back", "saved"))
    eventually(lambda: space.get("jobs", "back-restore") is not None)
    for name in space.names("configmaps", "app.kubernetes.io/instance=back"):
        space.delete("configmaps", name)
    end_pod(space, "back-restore", succeeded())
    eventually(lambda: space.get("restores", "back")["status"]["phase"] == "Succeeded")
    for kind, name in (("restores", "back"), ("backups", "saved"), ("tradingsystems", "small")):
        space.delete(kind, name)
        eventually(partial(is_missing, space, kind, name))


def is_missing(space: Namespace, kind: str, name: str) -> bool:
    """Tell whether an object is gone."""
    return space.get(kind, name) is None


def _foreign_job(kind: str, name: str) -> Manifest:
    container = {"name": "main", "image": "registry.example/theirs:pretend-unready"}
    spec: Manifest = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    if kind == "cronjobs":
        spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": spec}}
    else:
        spec["suspend"] = True
    return {"metadata": {"name": name}, "spec": spec}


def _refused(space: Namespace, name: str) -> set[str]:
    """Return the kinds of which the API server has refused an object."""
    ready = space.condition_of("backups", name, "Ready")
    if ready.get("reason") != "Refused":
        return set()
    return {part.split(" ")[0] for part in ready["message"].split("; ")}


def _labels(space: Namespace, path: str) -> dict[str, str]:
    found: dict[str, str] = space.client.request("GET", path)["metadata"]["labels"]
    return found


def _uid(space: Namespace, kind: str, name: str) -> str | None:
    found = space.get(kind, name)
    return None if found is None else str(found["metadata"]["uid"])
