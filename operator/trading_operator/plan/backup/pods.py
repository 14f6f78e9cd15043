"""The pods of a Backup's Jobs: the program, what it reads, and a drill's throw-away servers."""

from collections.abc import Iterator
from dataclasses import dataclass

from trading_operator.api.backup_parts import Method, Scratch
from trading_operator.api.backup_status import RunKind
from trading_operator.engines import ENGINES
from trading_operator.engines.base import Throwaway
from trading_operator.manifests.metadata import (
    JOB_ROLE,
    NAME,
    ROLE,
    RUN,
    Manifest,
    build_labels_within,
)
from trading_operator.manifests.placement import (
    Placement,
    build_placement,
    build_placement_labels,
)
from trading_operator.manifests.pod import (
    Container,
    Mount,
    Pod,
    Sidecar,
    build_claim_mount,
    build_config_mount,
    build_pod_spec,
    build_scratch_mount,
)
from trading_operator.manifests.quantity import build_resources
from trading_operator.manifests.volume_claim import Claim, build_claim_spec
from trading_operator.plan.backup.case import Case, Source
from trading_operator.plan.backup.job_file import (
    JOB_FOLDER,
    SCRATCH_PATH,
    START_FILE,
    TARGETS_PATH,
    drill_folder,
    drill_port,
    job_file_name,
)
from trading_operator.plan.backup.repository import Repository
from trading_operator.plan.backup.targets import StoreTarget, Targets, live_image

PROGRESS_PORT = 8090
_APP = "trading-backup"
_STOP_SECONDS = 60  # to let go of locks, and to call the hooks that come after
_COMMANDS = {
    RunKind.FULL: "backup",
    RunKind.INCREMENTAL: "backup",
    RunKind.SAFETY: "backup",
    RunKind.DRILL: "drill",
    RunKind.RESTORE: "restore",
}


@dataclass(frozen=True)
class Work:
    """What the pods of a Backup have in common."""

    case: Case
    source: Source
    targets: Targets
    repository: Repository
    config_map: str  # with the job files

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels of everything that the Backup makes."""
        return {**build_labels_within(self.case.spec.system, self.case.owner), NAME: _APP}


def run_labels(work: Work, run: RunKind) -> dict[str, str]:
    """Return the labels of a Job and of its pods."""
    return {**work.labels, ROLE: JOB_ROLE, RUN: run.value}


def build_run_template(work: Work, run: RunKind) -> Manifest:
    """Build the template of the pods of one kind of run."""
    is_drill = run is RunKind.DRILL
    placement = Placement() if is_drill else Placement(same_node=work.targets.node_group)
    pod = _build_pod(work, run, placement)
    selector = dict[str, str]()  # nothing is spread
    spec = build_pod_spec(pod) | build_placement(work.source.owner, selector, placement)
    labels = {**run_labels(work, run), **build_placement_labels(placement)}
    return {"metadata": {"labels": labels}, "spec": spec}


def _build_pod(work: Work, run: RunKind, placement: Placement) -> Pod:
    stores = (each.password for each in work.targets.stores)
    is_drill = run is RunKind.DRILL
    return Pod(
        container=_build_program(work, run),
        user=work.targets.identity.user,
        group=work.targets.identity.group,
        grace_seconds=_STOP_SECONDS,
        mounts=tuple(_mounts(work, run)),
        secret_files=(*work.repository.secret_files, *stores),
        pull_secrets=tuple(work.source.spec.image_pull_secrets),
        placement=placement,
        sidecars=tuple(_throwaways(work)) if is_drill else (),
    )


def _build_program(work: Work, run: RunKind) -> Container:
    job = f"{JOB_FOLDER}/{job_file_name(run)}"
    return Container(
        image=work.case.operand.backup_image,
        command=("python3", "-m", "trading_backup", _COMMANDS[run]),
        env=(
            {"name": "TRADING_BACKUP_JOB", "value": job},
            {"name": "HOME", "value": "/tmp"},
        ),
        ports={"progress": PROGRESS_PORT},
        resources=build_resources(work.case.spec.resources),
    )


def _mounts(work: Work, run: RunKind) -> Iterator[Mount]:
    yield build_config_mount("job", JOB_FOLDER, work.config_map)
    yield _build_room(work.case.spec.scratch, "scratch", SCRATCH_PATH)
    yield from work.repository.mounts
    if run is RunKind.DRILL:
        for name in work.targets.names:
            yield _build_room(work.case.spec.scratch, f"drill-{name}", drill_folder(name))
        return
    for target in work.targets.volumes:
        path, name = f"{TARGETS_PATH}/{target.name}", f"target-{target.name}"
        yield build_claim_mount(name, path, target.claim.name, run is not RunKind.RESTORE)


def _build_room(scratch: Scratch | None, name: str, path: str) -> Mount:
    """Build a folder that goes with the pod, on the node's disk or on a volume of its own."""
    if scratch is None:
        return build_scratch_mount(name, path)
    claim = Claim(scratch.size, "ReadWriteOnce", scratch.storage_class_name)
    template = {"spec": build_claim_spec(claim)}
    return Mount(path, {"name": name, "ephemeral": {"volumeClaimTemplate": template}})


def _throwaways(work: Work) -> Iterator[Sidecar]:
    for target in work.targets.stores:
        yield _build_throwaway(work, target)


def _build_throwaway(work: Work, target: StoreTarget) -> Sidecar:
    engine = ENGINES[target.store.engine]
    contract, folder = engine.contract, engine.contract.data_path
    server = Throwaway(
        port=drill_port(work.targets, target),
        start_file=f"{folder}/{START_FILE}",
        method=target.method,
    )
    image = live_image(work.source, target)
    user, group = target.store.run_as_user, target.store.run_as_group
    # A database refuses a folder of somebody else, and the program has restored this one.
    own, program = target.method is Method.PHYSICAL, work.targets.identity
    return Sidecar(
        name=f"server-{target.name}",
        container=engine.build_throwaway(target.store, image, target.password, server),
        user=program.user if own else user or contract.user,
        group=program.group if own else group or user or contract.group,
        mounts=(
            _build_room(work.case.spec.scratch, f"drill-{target.name}", folder),
            build_scratch_mount(f"run-{target.name}", contract.run_path, memory=True),
        ),
        secret_files=(target.password,),
    )
