"""Backups to plan, the systems that they are of, and what their Jobs say."""

import json
from dataclasses import replace
from typing import Any

from trading_operator.api.backup import BackupSpec
from trading_operator.api.backup_status import BackupStatus
from trading_operator.manifests.metadata import Manifest, Owner, build_own_selector
from trading_operator.plan.backup.case import Case, JobFacts, Source
from trading_operator.plan.backup.plan import BackupPlan, plan_backup
from trading_operator.plan.observed import Observed, Ref, SecretFacts, ref_of
from trading_operator.plan.types import OperandSettings, Plan
from unit.operator_pure.systems import NOW, OWNER, datastore, make_spec, service

BACKUP = Owner("tradingoperator.io/v1alpha1", "Backup", "nightly", "desk", "uid-b", 2)
OPERAND = OperandSettings(operator_namespace="trading-operator", backup_image="trading-backup:1")
VOLUME: dict[str, Any] = {"volume": {"size": "20Gi"}}
S3: dict[str, Any] = {
    "s3": {
        "endpoint": "https://s3.example",
        "bucket": "desk",
        "accessKeySecretRef": {"name": "keys", "key": "access"},
        "secretKeySecretRef": {"name": "keys", "key": "secret"},
    }
}
PASSWORD = {"passwordSecretRef": {"name": "vault", "key": "password"}}
DAILY = {"full": "0 3 * * *", "incremental": "0 * * * *"}
DATABASES = [datastore(), datastore("cache", "Redis")]
MODELS = [{"name": "models", "size": "5Gi", "accessMode": "ReadWriteOnce"}]


def backup_spec(**fields: Any) -> BackupSpec:
    """Parse a Backup's spec from its wire form."""
    return BackupSpec.model_validate({"system": OWNER.name, "destination": VOLUME, **fields})


def source_of(**fields: Any) -> Source:
    """Return a system of which everything is there."""
    usual = {"datastores": DATABASES, "volumes": MODELS, "services": [_trader()]}
    spec = make_spec(**(usual | fields))
    children = [_workload(store.name) for store in spec.datastores]
    children += [_claim(volume.name) for volume in spec.volumes]
    return Source(OWNER, spec, {ref_of(each): each for each in children})


def case_of(source: Source | None = None, **fields: Any) -> Case:
    """Return a Backup in a cluster that has what its spec names."""
    return Case(
        owner=BACKUP,
        spec=backup_spec(**fields),
        observed=Observed(secrets=secrets("vault", "keys")),
        operand=OPERAND,
        source=source or source_of(),
    )


def secrets(*names: str) -> dict[str, SecretFacts]:
    """Return Secrets with the keys that these tests name."""
    keys = frozenset({"password", "access", "secret"})
    return {name: SecretFacts(name, keys, "digest") for name in names}


def planned(case: Case, now: Any = NOW) -> BackupPlan:
    """Plan a Backup."""
    return plan_backup(case, now)


def settled(case: Case, now: Any = NOW) -> Case:
    """Return the Backup after what was planned of it is there."""
    made = planned(case, now).plan
    children = {**case.observed.children, **{ref_of(each): each for each in made.objects}}
    children = {ref: _live(each) for ref, each in children.items() if ref not in made.prune}
    labels = build_own_selector(BACKUP)
    generated = {
        request.manifest["metadata"]["name"]: SecretFacts(
            request.manifest["metadata"]["name"], frozenset({"password"}), "d", labels
        )
        for request in made.generated_secrets
    }
    known = {**case.observed.secrets, **generated}
    observed = replace(case.observed, children=children, secrets=known)
    before = case.before.model_copy(update={"scheduled_since": "2026-01-02T03:04:05Z"})
    return replace(case, observed=observed, before=before)


def objects_of(plan: Plan, kind: str) -> dict[str, Manifest]:
    """Return the planned objects of a kind by name."""
    return {ref_of(each).name: each for each in plan.objects if each["kind"] == kind}


def job_files(plan: Plan) -> dict[str, Any]:
    """Return the planned job files, parsed."""
    (config,) = objects_of(plan, "ConfigMap").values()
    return {name: json.loads(text) for name, text in config["data"].items()}


def pod_of(plan: Plan, name: str) -> Manifest:
    """Return the spec of the pods of a planned CronJob or Job."""
    made = objects_of(plan, "CronJob") | objects_of(plan, "Job")
    spec = made[name]["spec"]
    pod: Manifest = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]
    return pod


def ended_job(
    name: str = "nightly-full-1", run: str = "Full", at: str = "2026-01-02T03:00:00Z", **more: Any
) -> JobFacts:
    """Return a Job that ended well, with what its program says."""
    said = {"outcome": "Succeeded", "set": "20260102T030000Z", "mode": run, **more.pop("said", {})}
    usual: dict[str, Any] = {
        "created_at": at,
        "started_at": at,
        "ended_at": at,
        "outcome": "Succeeded",
        "words": json.dumps(said),
    }
    return JobFacts(name=name, run=run, **(usual | more))


def remembering(case: Case, **status: Any) -> Case:
    """Return a Backup whose status says something already."""
    return replace(case, before=BackupStatus.model_validate(status))


def _trader() -> dict[str, Any]:
    mounts = [{"name": "models", "mountPath": "/models"}]
    return service("trader", volumes=mounts)


def _workload(name: str) -> Manifest:
    containers = [{"name": "main", "image": f"live/{name}:1"}]
    template = {"metadata": {"labels": {}}, "spec": {"containers": containers}}
    metadata = {"name": f"{OWNER.name}-{name}"}
    return {"kind": "StatefulSet", "metadata": metadata, "spec": {"template": template}}


def _claim(name: str) -> Manifest:
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": f"{OWNER.name}-{name}"}}


def _live(manifest: Manifest) -> Manifest:
    return {"status": {}, **manifest}


def ref(kind: str, name: str) -> Ref:
    """Return the reference of a child of the Backup."""
    return Ref(kind, f"{BACKUP.name}-{name}")
