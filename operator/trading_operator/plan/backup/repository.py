"""Where the backups are: the volume and its password, or the bucket and its keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from trading_operator.api.backup import BackupSpec
from trading_operator.api.backup_parts import S3Destination
from trading_operator.api.common import SecretKeyReference
from trading_operator.api.reasons import (
    CREDENTIALS_LOST,
    NAME_CONFLICT,
    NO_DEFAULT_STORAGE_CLASS,
    SECRET_KEY_NOT_FOUND,
    SECRET_NOT_FOUND,
    STORAGE_CLASS_NOT_FOUND,
)
from trading_operator.engines.base import SecretRequest
from trading_operator.manifests.metadata import (
    BACKUP_OF_ANNOTATION,
    MADE_FOR_ANNOTATION,
    SIZE_ANNOTATION,
    Manifest,
    Owner,
    build_own_selector,
    child_name,
    owner_of_labels,
)
from trading_operator.manifests.pod import Mount, SecretFile, build_claim_mount
from trading_operator.manifests.quantity import canonical_quantity, parse_quantity
from trading_operator.manifests.secret import build_labelled_secret
from trading_operator.manifests.volume_claim import (
    CLAIM_KIND,
    Claim,
    ClaimMetadata,
    build_claim_spec,
    build_volume_claim,
    keep_claim_spec,
)
from trading_operator.plan.backup.case import Case
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import Block

REPOSITORY_PATH = "/repository"
_PASSWORD_KEY = "password"
# Secrets and StorageClasses are not watched.
_LOOK_AGAIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Repository:
    """The repository as a Job sees it, and what the operator makes for it."""

    described: Mapping[str, Any]  # in the job file
    secret_files: tuple[SecretFile, ...]
    mounts: tuple[Mount, ...] = ()
    claim: Manifest | None = None
    secret: SecretRequest | None = None


def password_file(owner: Owner, spec: BackupSpec) -> SecretFile:
    """Return the file with the password that opens the repository."""
    given = spec.encryption.password_secret_ref
    if given is None:
        name = child_name(owner, "repository-password")
        return SecretFile("repository/password", name, _PASSWORD_KEY)
    return SecretFile("repository/password", given.name, given.key)


def secrets_of(owner: Owner, spec: BackupSpec) -> frozenset[str]:
    """Return the names of the Secrets that open the repository, the generated one among them."""
    return frozenset(file.secret for file in _secret_files(owner, spec))


def plan_repository(case: Case) -> Repository:
    """Return the repository, and what is to be made for it."""
    files = tuple(_secret_files(case.owner, case.spec))
    volume, s3 = case.spec.destination.volume, case.spec.destination.s3
    if s3 is not None:
        return Repository(_describe_bucket(case.owner, s3), files)
    own = volume is not None and volume.claim_name is None
    claim = _plan_claim(case) if own else None
    name = claim_name(case.owner) if own else (volume.claim_name if volume else None) or ""
    generated = own and case.spec.encryption.password_secret_ref is None
    return Repository(
        described={"path": REPOSITORY_PATH},
        secret_files=files,
        mounts=(build_claim_mount("repository", REPOSITORY_PATH, name, read_only=False),),
        claim=claim,
        secret=_build_secret(case) if generated else None,
    )


def find_repository_block(case: Case) -> Block | None:
    """Return why a person must act before the repository can be used."""
    found = (
        _find_missing_class(case),
        _find_other_system(case),
        _find_lost_password(case),
        _find_foreign_password(case),
        _find_missing_secret(case),
    )
    return next((block for block in found if block is not None), None)


def _secret_files(owner: Owner, spec: BackupSpec) -> Iterator[SecretFile]:
    yield password_file(owner, spec)
    s3 = spec.destination.s3
    if s3 is None:
        return
    for path, given in _bucket_secrets(s3).items():
        yield SecretFile(path, given.name, given.key)


def _bucket_secrets(s3: S3Destination) -> dict[str, SecretKeyReference]:
    found = {
        "s3/access-key": s3.access_key_secret_ref,
        "s3/secret-key": s3.secret_key_secret_ref,
        "s3/ca.crt": s3.ca_secret_ref,
    }
    return {path: given for path, given in found.items() if given is not None}


def _describe_bucket(owner: Owner, s3: S3Destination) -> Mapping[str, Any]:
    files = {
        path: SecretFile(path, given.name, given.key).mounted_at
        for path, given in _bucket_secrets(s3).items()
    }
    fields = {
        "endpoint": s3.endpoint,
        "bucket": s3.bucket,
        "prefix": s3.prefix or f"{owner.namespace}/{owner.name}",
        "region": s3.region,
        "accessKeyFile": files["s3/access-key"],
        "secretKeyFile": files["s3/secret-key"],
        "caFile": files.get("s3/ca.crt"),
    }
    return {"s3": {name: value for name, value in fields.items() if value is not None}}


def claim_name(owner: Owner) -> str:
    """Return the name of the operator's own claim."""
    return child_name(owner, "repository")


def _live_claim(case: Case) -> Manifest | None:
    return case.observed.children.get(Ref(CLAIM_KIND, claim_name(case.owner)))


def _plan_claim(case: Case) -> Manifest | None:
    """Return the claim of the operator's own volume: it outlives the Backup, and only grows.

    It has no label of the system: who cleans up after that must not meet its backups.
    """
    volume = case.spec.destination.volume
    if volume is None or volume.size is None:
        return None
    live = _live_claim(case)
    annotations = {
        SIZE_ANNOTATION: canonical_quantity(volume.size),
        BACKUP_OF_ANNOTATION: case.spec.system,
    }
    if live is None:
        annotations[MADE_FOR_ANNOTATION] = case.owner.uid
        spec = build_claim_spec(Claim(volume.size, "ReadWriteOnce", volume.storage_class_name))
    else:
        made_for = _annotation(live, MADE_FOR_ANNOTATION)
        annotations |= {} if made_for is None else {MADE_FOR_ANNOTATION: made_for}
        spec = keep_claim_spec(live, _larger(live, volume.size))
    labels = build_own_selector(case.owner)
    metadata = ClaimMetadata(claim_name(case.owner), labels, annotations, owned=False)
    return build_volume_claim(case.owner, metadata, spec)


def _annotation(live: Manifest, name: str) -> str | None:
    return (live["metadata"].get("annotations") or {}).get(name)


def _larger(live: Manifest, wanted: str) -> str:
    asked = str(live["spec"].get("resources", {}).get("requests", {}).get("storage", wanted))
    try:
        return max(asked, canonical_quantity(wanted), key=parse_quantity)
    except ValueError:
        return asked  # written in a form that the operator does not use


def _build_secret(case: Case) -> SecretRequest:
    labels = build_own_selector(case.owner)
    name = password_file(case.owner, case.spec).secret
    return SecretRequest(
        manifest=build_labelled_secret(case.owner, name, labels),
        claim=claim_name(case.owner),
        username=case.owner.name,
        fields={},
    )


def _generates_password(case: Case) -> bool:
    volume = case.spec.destination.volume
    own = volume is not None and volume.size is not None
    return own and case.spec.encryption.password_secret_ref is None


def _find_other_system(case: Case) -> Block | None:
    """Refuse the volume of a former Backup of this name that was of another system."""
    claim, volume = _live_claim(case), case.spec.destination.volume
    own = volume is not None and volume.size is not None
    system = _annotation(claim, BACKUP_OF_ANNOTATION) if claim is not None and own else None
    if system in (None, case.spec.system):
        return None
    return Block(
        NAME_CONFLICT,
        f"destination: {CLAIM_KIND} {claim_name(case.owner)} holds backups of {system}; make a "
        f"Backup of another name for {case.spec.system}, or delete the claim with all of them",
        _LOOK_AGAIN,
    )


def _find_lost_password(case: Case) -> Block | None:
    """Refuse a new password for a repository that may hold backups: it would not open them."""
    claim = _live_claim(case)
    name = password_file(case.owner, case.spec).secret
    if claim is None or not _generates_password(case) or name in case.observed.secrets:
        return None
    made_for = _annotation(claim, MADE_FOR_ANNOTATION)
    before = case.before
    if made_for == case.owner.uid and not (case.jobs or before.last_run or before.last_sets):
        return None  # the operator ended between the claim and its Secret
    labels = build_own_selector(case.owner)
    told = ",".join(f"{label}={value}" for label, value in labels.items())
    return Block(
        CREDENTIALS_LOST,
        f"the generated Secret {name} is gone, and its password opens the backups; restore it "
        f"with the key {_PASSWORD_KEY} and the labels {told}, or delete {CLAIM_KIND} "
        f"{claim_name(case.owner)} to begin with an empty repository",
        _LOOK_AGAIN,
    )


def _find_foreign_password(case: Case) -> Block | None:
    name = password_file(case.owner, case.spec).secret
    facts = case.observed.secrets.get(name)
    if facts is None or not _generates_password(case):
        return None
    if owner_of_labels(facts.labels) == (case.owner.kind, case.owner.name):
        return None
    return Block(
        NAME_CONFLICT,
        f"Secret {name} exists and does not belong to this Backup; rename the Backup or remove "
        "the Secret",
        _LOOK_AGAIN,
    )


def _find_missing_secret(case: Case) -> Block | None:
    made = password_file(case.owner, case.spec).secret if _generates_password(case) else None
    for file in _secret_files(case.owner, case.spec):
        facts = case.observed.secrets.get(file.secret)
        if facts is None and file.secret != made:
            message = f"there is no Secret {file.secret}; create it with the key {file.key}"
            return Block(SECRET_NOT_FOUND, message, _LOOK_AGAIN)
        if facts is not None and file.key not in facts.keys:
            has = ", ".join(sorted(facts.keys)) or "none"
            message = f"Secret {file.secret} has no key {file.key} (it has {has}); add it"
            return Block(SECRET_KEY_NOT_FOUND, message, _LOOK_AGAIN)
    return None


def _find_missing_class(case: Case) -> Block | None:
    volume, known = case.spec.destination.volume, case.observed.storage_classes
    if volume is None or volume.size is None or known is None or _live_claim(case) is not None:
        return None
    path, has = "destination.volume.storageClassName", ", ".join(sorted(known)) or "none"
    named = volume.storage_class_name
    if named is not None and named not in known:
        message = f"{path}: the cluster has no StorageClass {named} (it has {has}); name another"
        return Block(STORAGE_CLASS_NOT_FOUND, message, _LOOK_AGAIN)
    if named is None and case.observed.default_storage_class is None:
        message = f"{path} is not set and the cluster has no default StorageClass (it has {has})"
        return Block(NO_DEFAULT_STORAGE_CLASS, f"{message}; name one", _LOOK_AGAIN)
    return None
