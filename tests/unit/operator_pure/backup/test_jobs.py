"""What a Backup makes: CronJobs and Jobs that are safe to run and to repeat."""

from dataclasses import replace
from typing import Any

import pytest

from trading_operator.api.errors import InvalidSpecError
from trading_operator.manifests.compare import differs
from trading_operator.plan.backup.case import JobFacts, Wish
from trading_operator.plan.observed import Ref
from unit.operator_pure.backup.cases import (
    BACKUP,
    DAILY,
    DATABASES,
    MODELS,
    case_of,
    ended_job,
    job_files,
    objects_of,
    planned,
    pod_of,
    ref,
    remembering,
    settled,
    source_of,
)
from unit.operator_pure.systems import OWNER, datastore, service

SCHEDULED: dict[str, Any] = {
    "schedule": DAILY,
    "verify": {"restoreDrill": "0 5 * * 0"},
    "deadline": "2h",
}


def test_each_schedule_is_a_cron_job_that_never_overlaps_itself() -> None:
    plan = planned(case_of(**SCHEDULED)).plan
    jobs = objects_of(plan, "CronJob")
    assert set(jobs) == {"nightly-full", "nightly-incremental", "nightly-drill"}
    assert jobs["nightly-incremental"]["spec"]["schedule"] == "0 * * * *"
    for job in jobs.values():
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert job["spec"]["timeZone"] == "Etc/UTC"
        assert not job["spec"]["suspend"]
        assert (
            job["spec"]["successfulJobsHistoryLimit"],
            job["spec"]["failedJobsHistoryLimit"],
        ) == (3, 3)
        assert job["metadata"]["ownerReferences"][0]["uid"] == BACKUP.uid
    assert objects_of(plan, "Job") == {}


def test_a_job_is_bounded_and_not_repeated_for_what_no_repetition_mends() -> None:
    plan = planned(case_of(**SCHEDULED)).plan
    for job in objects_of(plan, "CronJob").values():
        spec = job["spec"]["jobTemplate"]["spec"]
        assert spec["activeDeadlineSeconds"] == 7200
        assert spec["backoffLimit"] == 2
        fail, ignore = spec["podFailurePolicy"]["rules"]
        assert (fail["action"], fail["onExitCodes"]["values"]) == ("FailJob", [42])
        assert (ignore["action"], ignore["onPodConditions"][0]["type"]) == (
            "Ignore",
            "DisruptionTarget",
        )
        assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_the_pods_may_do_nothing_but_their_work() -> None:
    plan = planned(case_of(**SCHEDULED)).plan
    for name in objects_of(plan, "CronJob"):
        pod = pod_of(plan, name)
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security.get("runAsUser", 1) > 0


def test_pods_are_the_systems_jobs_and_no_component_of_it() -> None:
    plan = planned(case_of(**SCHEDULED)).plan
    job = objects_of(plan, "CronJob")["nightly-full"]
    labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"] == OWNER.name
    assert labels["tradingoperator.io/role"] == "job"
    assert labels["tradingoperator.io/owner-kind"] == "Backup"
    assert labels["app.kubernetes.io/instance"] == BACKUP.name
    assert "app.kubernetes.io/component" not in labels


def test_the_job_file_names_secrets_and_holds_none() -> None:
    retention = {"days": 30, "keepLast": 3}
    assertions = [{"name": "orders", "target": "db", "sql": "select true"}]
    case = case_of(**SCHEDULED, retention=retention, assertions=assertions)
    files = job_files(planned(case).plan)
    full = files["full.json"]
    assert full["mode"] == "Full"
    assert files["incremental.json"]["mode"] == "Incremental"
    assert full["repository"] == {"path": "/repository"}
    assert full["passwordFile"] == "/run/secrets/repository/password"
    assert full["retention"] == {"days": 30, "keepLast": 3, "daily": 0, "weekly": 0, "monthly": 0}
    assert full["assertions"] == [{"name": "orders", "target": "db", "sql": "select true"}]
    database, cache, models = full["targets"]
    assert database == {
        "name": "db",
        "engine": "PostgreSQL",
        "method": "Logical",
        "host": "momentum-db",
        "port": 5432,
        "user": "trading",
        "database": "trading",
        "passwordFile": "/run/secrets/db/password",
    }
    assert cache["passwordFile"] == "/run/secrets/cache/password"
    assert models == {"name": "models", "engine": "Volume", "path": "/targets/models"}


def test_without_retention_the_program_is_told_of_none() -> None:
    assert "retention" not in job_files(planned(case_of()).plan)["full.json"]


def test_volumes_are_read_where_their_users_are_and_never_written() -> None:
    pod = pod_of(planned(case_of(**SCHEDULED)).plan, "nightly-full")
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "target-models"]
    assert mount["readOnly"] is True
    (term,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"]["tradingoperator.io/same-node"] == "models"


def test_volumes_of_two_nodes_are_not_one_backup() -> None:
    volumes = [*MODELS, {"name": "logs", "size": "1Gi", "accessMode": "ReadWriteOnce"}]
    services = [
        service("trader", volumes=[{"name": "models", "mountPath": "/models"}]),
        service("logger", volumes=[{"name": "logs", "mountPath": "/logs"}]),
    ]
    source = source_of(volumes=volumes, services=services)
    with pytest.raises(InvalidSpecError, match="different nodes"):
        planned(case_of(source))


def test_a_drill_restores_into_servers_of_its_own_pod() -> None:
    plan = planned(case_of(**SCHEDULED)).plan
    pod = pod_of(plan, "nightly-drill")
    servers = {each["name"]: each for each in pod["initContainers"]}
    assert set(servers) == {"server-db", "server-cache"}
    assert {each["restartPolicy"] for each in servers.values()} == {"Always"}
    assert servers["server-db"]["image"] == "live/db:1"
    assert not any("Probe" in field for each in servers.values() for field in each)
    database, cache, models = job_files(plan)["drill.json"]["targets"]
    assert (database["host"], cache["host"]) == ("127.0.0.1", "127.0.0.1")
    assert database["port"] != cache["port"]
    assert f"port={database['port']}" in servers["server-db"]["args"]
    assert f"port {cache['port']}" in servers["server-cache"]["args"]
    assert models["path"] == "/drill/models"
    assert "path" not in database
    assert cache["path"] == "/drill/cache/dump.rdb"
    # What the program writes is what the server waits for.
    places = {m["name"]: m["mountPath"] for m in servers["server-db"]["volumeMounts"]}
    (start,) = [e["value"] for e in servers["server-db"]["env"] if e["name"] == "START_FILE"]
    assert start == f"{places['drill-db']}/.start"
    assert database["startFile"] == "/drill/db/.start"


def test_a_throw_away_server_sees_no_password_but_its_own() -> None:
    pod = pod_of(planned(case_of(**SCHEDULED)).plan, "nightly-drill")
    projected = {v["name"]: v["projected"] for v in pod["volumes"] if "projected" in v}
    seen = {
        container["name"]: {
            (mount["mountPath"], item["path"])
            for mount in container["volumeMounts"]
            for source in projected.get(mount["name"], {"sources": ()})["sources"]
            for item in source["secret"]["items"]
        }
        for container in (*pod["initContainers"], *pod["containers"])
    }
    assert seen["server-db"] == {("/run/secrets", "db/password")}
    assert seen["server-cache"] == {("/run/secrets", "cache/password")}
    assert ("/run/secrets", "repository/password") in seen["main"]


def test_a_drill_mounts_no_volume_of_the_system() -> None:
    pod = pod_of(planned(case_of(**SCHEDULED)).plan, "nightly-drill")
    claims = [
        v["persistentVolumeClaim"]["claimName"]
        for v in pod["volumes"]
        if "persistentVolumeClaim" in v
    ]
    assert claims == ["nightly-repository"]


def test_a_physical_copy_is_run_by_whoever_restored_it() -> None:
    store = datastore(parameters={"summarize_wal": "on"})
    targets = [{"name": "db", "method": "Physical"}]
    plan = planned(case_of(source_of(datastores=[store]), targets=targets, **SCHEDULED)).plan
    pod = pod_of(plan, "nightly-drill")
    (server,) = pod["initContainers"]
    assert server["securityContext"]["runAsUser"] == pod["securityContext"]["runAsUser"]
    assert server["args"][:3] == ["postgres", "-D", "/var/lib/postgresql/data/pgdata"]
    (target,) = job_files(plan)["drill.json"]["targets"]
    assert target["path"] == "/drill/db/pgdata"


@pytest.mark.parametrize(
    ("store", "text"),
    [
        (datastore(), "summarize_wal"),
        (datastore(version="16", parameters={"summarize_wal": "on"}), "17"),
        (datastore("db", "Redis"), "Redis"),
    ],
)
def test_a_database_that_cannot_be_copied_so_is_refused(store: Any, text: str) -> None:
    targets = [{"name": "db", "method": "Physical"}]
    with pytest.raises(InvalidSpecError, match=text):
        planned(case_of(source_of(datastores=[store]), targets=targets, schedule=DAILY))


def test_scratch_of_its_own_goes_with_the_pod() -> None:
    plan = planned(case_of(**SCHEDULED, scratch={"size": "50Gi"})).plan
    pod = pod_of(plan, "nightly-drill")
    rooms = {v["name"] for v in pod["volumes"] if "ephemeral" in v}
    assert rooms == {"scratch", "drill-db", "drill-cache", "drill-models"}


def test_a_target_that_the_system_does_not_have_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        planned(case_of(targets=[{"name": "db"}, {"name": "gone"}]))
    assert caught.value.path == "targets[1]"
    assert "db, cache, models" in caught.value.problem


def test_what_a_change_would_add_is_no_target_before_it_is_there() -> None:
    source = source_of()
    children = {place: each for place, each in source.children.items() if "cache" not in place.name}
    files = job_files(planned(case_of(replace(source, children=children))).plan)
    assert [each["name"] for each in files["full.json"]["targets"]] == ["db", "models"]


def test_a_named_target_is_waited_for() -> None:
    source = replace(source_of(), children={})
    made = planned(case_of(source, targets=[{"name": "db"}]))
    assert made.block is not None
    assert made.block.reason == "WaitingForTarget"
    assert made.plan.objects == ()
    assert made.plan.prune == ()


def test_without_a_schedule_one_run_is_made_and_never_a_second_one() -> None:
    case = settled(case_of())
    assert set(objects_of(planned(case_of()).plan, "Job")) == {"nightly-once"}
    running = replace(case, jobs=(JobFacts("nightly-once", "Full", request="once"),))
    assert objects_of(planned(running).plan, "Job") == {}
    over = [{"id": "once", "job": "nightly-once", "outcome": "Failed"}]
    assert objects_of(planned(remembering(case, requests=over)).plan, "Job") == {}


def test_a_job_that_was_asked_for_goes_by_itself() -> None:
    (job,) = objects_of(planned(case_of()).plan, "Job").values()
    assert job["spec"]["ttlSecondsAfterFinished"] > 86400


def test_each_value_of_the_command_asks_for_one_run() -> None:
    def asked(value: str) -> set[str]:
        owner = replace(BACKUP, commands={"run-now": value})
        plan = planned(replace(case_of(schedule=DAILY), owner=owner)).plan
        return set(objects_of(plan, "Job"))

    assert len(asked("a")) == 1
    assert asked("a") == asked("a") != asked("b")


def test_a_change_that_waits_gets_a_backup_of_its_own() -> None:
    wish = Wish("abc123", "2026-01-02T03:00:00Z")
    case = replace(case_of(schedule=DAILY), wish=wish)
    (name,) = objects_of(planned(case).plan, "Job")
    again = replace(case, wish=replace(wish, since="2026-01-03T03:00:00Z"))
    assert set(objects_of(planned(again).plan, "Job")) != {name}
    tried = replace(case, wish=replace(wish, retried="now"))
    assert set(objects_of(planned(tried).plan, "Job")) != {name}


def test_nothing_begins_while_it_is_suspended_or_the_system_sleeps() -> None:
    suspended = planned(case_of(**SCHEDULED, suspend=True))
    assert all(j["spec"]["suspend"] for j in objects_of(suspended.plan, "CronJob").values())
    asleep = planned(case_of(source_of(hibernated=True), **SCHEDULED))
    jobs = objects_of(asleep.plan, "CronJob")
    assert {name for name, job in jobs.items() if job["spec"]["suspend"]} == {
        "nightly-full",
        "nightly-incremental",
    }
    assert objects_of(planned(case_of(source_of(hibernated=True))).plan, "Job") == {}


def test_without_its_system_a_backup_rests_and_keeps_what_it_has() -> None:
    case = replace(settled(case_of(**SCHEDULED)), source=None)
    made = planned(case)
    assert made.block is not None
    assert made.block.reason == "SystemNotFound"
    jobs = objects_of(made.plan, "CronJob")
    assert len(jobs) == 3
    assert all(job["spec"]["suspend"] for job in jobs.values())
    assert made.plan.prune == ()


def test_a_settled_backup_plans_what_is_there() -> None:
    case = settled(case_of(**SCHEDULED))
    plan = planned(case).plan
    live = case.observed.children
    for manifest in plan.objects:
        place = Ref(manifest["kind"], manifest["metadata"]["name"])
        assert not differs(manifest, live[place])
    assert plan.prune == ()
    assert objects_of(plan, "Job") == {}


def test_a_schedule_that_left_the_spec_goes_and_data_never_do() -> None:
    case = settled(case_of(**SCHEDULED))
    fewer = replace(case, spec=case_of(schedule={"full": "0 3 * * *"}).spec)
    pruned = set(planned(fewer).plan.prune)
    assert {ref("CronJob", "incremental"), ref("CronJob", "drill")} <= pruned
    assert not any(place.kind in ("PersistentVolumeClaim", "Job") for place in pruned)


def test_the_file_of_a_run_that_is_under_way_stays() -> None:
    case = settled(case_of(**SCHEDULED))
    (old,) = [place for place in case.observed.children if place.kind == "ConfigMap"]
    changed = replace(case, spec=case_of(**SCHEDULED, retention={"days": 1}).spec)
    assert old in planned(changed).plan.prune
    running = JobFacts("nightly-full-1", "Full", config_maps=(old.name,))
    assert old not in planned(replace(changed, jobs=(running,))).plan.prune
    over = replace(ended_job(), config_maps=(old.name,))
    assert old in planned(replace(changed, jobs=(over,))).plan.prune


def test_hooks_are_requests_to_services_of_the_system() -> None:
    hooks = {"before": [{"name": "halt", "service": "trader", "path": "/halt"}]}
    files = job_files(planned(case_of(hooks=hooks)).plan)
    (hook,) = files["full.json"]["hooks"]["before"]
    assert hook["url"] == "http://momentum-trader:8000/halt"
    assert (hook["timeoutSeconds"], hook["onFailure"]) == (30, "Fail")
    assert "hooks" not in files["drill.json"]


@pytest.mark.parametrize("hook", [{"service": "gone"}, {"service": "trader", "port": 9}])
def test_a_hook_that_reaches_nobody_is_refused(hook: Any) -> None:
    hooks = {"after": [{"name": "x", "path": "/x", **hook}]}
    with pytest.raises(InvalidSpecError, match=r"hooks\.after\[0\]"):
        planned(case_of(hooks=hooks))


def test_names_of_a_datastore_and_a_volume_must_differ() -> None:
    volumes = [{"name": "db", "size": "1Gi"}]
    with pytest.raises(InvalidSpecError, match="datastore and a volume"):
        planned(case_of(source_of(datastores=DATABASES, volumes=volumes, services=[])))


def test_the_program_runs_as_the_owner_of_the_files_that_it_reads_and_restores() -> None:
    mounts = [{"name": "models", "mountPath": "/models"}]
    reads = [{**mounts[0], "readOnly": True}]
    services = [
        service("reader", volumes=reads, runAsUser=2000),
        service("trainer", volumes=mounts, runAsUser=3000, runAsGroup=3001),
    ]
    for source, user, group in (
        (source_of(services=services), 3000, 3001),
        (source_of(services=services[:1]), 2000, 1000),
        (source_of(services=[]), 1000, 1000),
    ):
        security = pod_of(planned(case_of(source)).plan, "nightly-once")["securityContext"]
        assert (security["runAsUser"], security["runAsGroup"]) == (user, group)


def test_volumes_of_different_owners_are_backups_of_their_own() -> None:
    volumes = [{"name": name, "size": "1Gi", "accessMode": "ReadWriteMany"} for name in "ab"]
    services = [
        service("one", volumes=[{"name": "a", "mountPath": "/a"}], runAsUser=2000),
        service("two", volumes=[{"name": "b", "mountPath": "/b"}], runAsUser=3000),
    ]
    source = source_of(volumes=volumes, services=services)
    with pytest.raises(InvalidSpecError, match="a of user 2000, b of user 3000"):
        planned(case_of(source))
    planned(case_of(source, targets=[{"name": "a"}]))
