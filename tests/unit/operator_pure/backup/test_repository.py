"""The repository: a volume that only grows, and a password that is never replaced."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.manifests.metadata import build_own_selector
from trading_operator.plan.backup.case import Case
from trading_operator.plan.observed import SecretFacts
from unit.operator_pure.backup.cases import (
    BACKUP,
    PASSWORD,
    S3,
    case_of,
    ended_job,
    job_files,
    objects_of,
    planned,
    pod_of,
    ref,
    remembering,
    secrets,
    settled,
)

CLAIM = ref("PersistentVolumeClaim", "repository")
SECRET = "nightly-repository-password"


def without_secret(case: Case) -> Case:
    return replace(case, observed=replace(case.observed, secrets={}))


def block_of(case: Case) -> str:
    block = planned(case).block
    return "" if block is None else block.reason


def with_classes(case: Case, *names: str, default: str | None = None) -> Case:
    observed = replace(
        case.observed, storage_classes=frozenset(names), default_storage_class=default
    )
    return replace(case, observed=observed)


def test_the_volume_outlives_the_backup_and_the_password_goes_with_the_volume() -> None:
    plan = planned(case_of()).plan
    (claim,) = objects_of(plan, "PersistentVolumeClaim").values()
    assert claim["metadata"]["ownerReferences"] == []
    assert claim["metadata"]["name"] == CLAIM.name
    # `kubectl delete pvc,secret -l app.kubernetes.io/part-of=SYSTEM` is how people clean up.
    assert "app.kubernetes.io/part-of" not in claim["metadata"]["labels"]
    (request,) = plan.generated_secrets
    assert request.claim == CLAIM.name
    assert "stringData" not in request.manifest
    assert request.manifest["metadata"]["name"] == SECRET


def test_the_volume_grows_and_never_shrinks() -> None:
    def asked(size: str) -> str:
        case = settled(case_of())
        case = replace(case, spec=case_of(destination={"volume": {"size": size}}).spec)
        (claim,) = objects_of(planned(case).plan, "PersistentVolumeClaim").values()
        return str(claim["spec"]["resources"]["requests"]["storage"])

    assert asked("40Gi") == "40Gi"
    assert asked("10Gi") == "20Gi"


def test_the_volume_is_of_one_system() -> None:
    case = settled(case_of())
    assert block_of(case) == ""
    other = replace(case, spec=case.spec.model_copy(update={"system": "reversal"}))
    block = planned(other).block
    assert block is not None
    assert (block.reason, "holds backups of momentum" in block.message) == ("NameConflict", True)
    assert objects_of(planned(other).plan, "PersistentVolumeClaim") == {}
    in_a_bucket = case_of(destination=S3, encryption=PASSWORD, system="reversal")
    assert block_of(replace(other, spec=in_a_bucket.spec)) == ""


def test_a_claim_of_yours_is_used_as_it_is() -> None:
    case = case_of(destination={"volume": {"claimName": "mine"}}, encryption=PASSWORD)
    plan = planned(case).plan
    assert objects_of(plan, "PersistentVolumeClaim") == {}
    assert plan.generated_secrets == ()
    volumes = {v["name"]: v for v in pod_of(plan, "nightly-once")["volumes"]}
    assert volumes["repository"]["persistentVolumeClaim"] == {"claimName": "mine"}


def test_a_bucket_is_described_by_its_place_and_the_files_of_its_keys() -> None:
    plan = planned(case_of(destination=S3, encryption=PASSWORD)).plan
    (repository,) = [job_files(plan)["full.json"]["repository"]]
    assert repository["s3"] == {
        "endpoint": "https://s3.example",
        "bucket": "desk",
        "prefix": "desk/nightly",
        "accessKeyFile": "/run/secrets/s3/access-key",
        "secretKeyFile": "/run/secrets/s3/secret-key",
    }
    pod = pod_of(plan, "nightly-once")
    sources = next(v for v in pod["volumes"] if v["name"] == "secrets")["projected"]["sources"]
    assert {each["secret"]["name"] for each in sources} >= {"keys", "vault"}


def test_a_new_password_is_never_made_for_what_an_old_one_opens() -> None:
    case = settled(case_of(schedule={"full": "0 3 * * *"}))
    assert block_of(case) == ""
    lost = without_secret(case)
    assert block_of(lost) == ""  # nothing was written with it: the operator died in between
    assert block_of(replace(lost, jobs=(ended_job(),))) == "CredentialsLost"
    ran = {"kind": "Full", "job": "nightly-full-1", "outcome": "Failed"}
    assert block_of(remembering(lost, lastRun=ran)) == "CredentialsLost"
    former = {**lost.observed.children[CLAIM]}
    former["metadata"] = {**former["metadata"], "annotations": {}}
    children = {**lost.observed.children, CLAIM: former}
    taken_over = replace(lost, observed=replace(lost.observed, children=children))
    assert block_of(taken_over) == "CredentialsLost"
    assert planned(taken_over).plan.generated_secrets == ()


def test_the_volume_of_a_former_backup_of_the_name_is_gone_on_with() -> None:
    case = settled(case_of())
    anew = replace(case, owner=replace(BACKUP, uid="another"))
    assert block_of(anew) == ""
    (claim,) = objects_of(planned(anew).plan, "PersistentVolumeClaim").values()
    made_for = claim["metadata"]["annotations"]["tradingoperator.io/made-for"]
    assert made_for == BACKUP.uid


def test_somebody_elses_secret_of_the_name_is_not_taken() -> None:
    case = case_of()
    facts = SecretFacts(SECRET, frozenset({"password"}), "d")
    foreign = replace(case, observed=replace(case.observed, secrets={SECRET: facts}))
    assert block_of(foreign) == "NameConflict"
    own = replace(facts, labels=build_own_selector(BACKUP))
    assert block_of(replace(case, observed=replace(case.observed, secrets={SECRET: own}))) == ""


@pytest.mark.parametrize(
    ("fields", "known", "reason"),
    [
        ({"destination": S3, "encryption": PASSWORD}, ("vault",), "SecretNotFound"),
        ({"destination": S3, "encryption": PASSWORD}, ("keys",), "SecretNotFound"),
        (
            {"encryption": {"passwordSecretRef": {"name": "vault", "key": "other"}}},
            ("vault",),
            "SecretKeyNotFound",
        ),
    ],
)
def test_a_secret_that_is_missing_holds_every_run(
    fields: Any, known: tuple[str, ...], reason: str
) -> None:
    case = case_of(**fields)
    case = replace(case, observed=replace(case.observed, secrets=secrets(*known)))
    assert block_of(case) == reason
    assert planned(case).plan.objects == ()
    assert planned(case).plan.requeue_after is not None


def test_a_storage_class_that_is_not_there_is_told_before_a_claim_waits_for_it() -> None:
    case = case_of()
    assert block_of(with_classes(case, "fast")) == "NoDefaultStorageClass"
    assert block_of(with_classes(case, "fast", default="fast")) == ""
    named = case_of(destination={"volume": {"size": "1Gi", "storageClassName": "slow"}})
    assert block_of(with_classes(named, "fast", default="fast")) == "StorageClassNotFound"
    assert block_of(with_classes(settled(case), "fast")) == ""
