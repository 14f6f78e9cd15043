"""The Job of one launch: its pod, what it reads, and whom it may reach."""

from collections.abc import Iterator
from dataclasses import dataclass

from trading_operator.api.common import parse_duration
from trading_operator.api.model_training_parts import Device, TrainerName
from trading_operator.api.model_training_status import TrainingRun
from trading_operator.api.sharing import Isolation
from trading_operator.manifests.config_map import build_config_map
from trading_operator.manifests.job import Limits, build_job, build_job_spec
from trading_operator.manifests.metadata import (
    CHAMPION_ANNOTATION,
    DEVICE_LABEL,
    JOB_ROLE,
    LAUNCH_LABEL,
    NAME,
    QUEUE_LABEL,
    RECIPE_LABEL,
    ROLE,
    RUN,
    SCHEDULED_ANNOTATION,
    Manifest,
    build_labels_within,
    build_metadata,
    build_own_selector,
    child_name,
)
from trading_operator.manifests.network_policy import (
    build_egress,
    build_ingress,
    build_job_policy,
    build_name_resolution,
    component_peer,
    operator_peer,
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
    build_claim_mount,
    build_config_mount,
    build_pod_spec,
)
from trading_operator.manifests.probe import whole_seconds
from trading_operator.manifests.quantity import build_resources
from trading_operator.plan.backup.case import Source
from trading_operator.plan.backup.pods import PROGRESS_PORT
from trading_operator.plan.placing import build_tolerations
from trading_operator.plan.training.case import TrainingCase
from trading_operator.plan.training.job_file import (
    CONFIG_FOLDER,
    JOB_FILE,
    JOB_FOLDER,
    MODELS_FOLDER,
    build_job_file,
)
from trading_operator.plan.training.launches import time_left
from trading_operator.plan.training.surroundings import Surroundings

_APP = "model-training-job"
_COMMAND = ("trading-services", "train")
_STOP_SECONDS = 60  # to write a checkpoint


@dataclass(frozen=True)
class LaunchWork:
    """All that one Job is built from."""

    case: TrainingCase
    source: Source
    around: Surroundings
    run: TrainingRun
    number: int  # of the launch
    device: Device

    @property
    def name(self) -> str:
        """Return the name of the Job."""
        return child_name(self.case.owner, f"{self.run.number}-{self.number}")

    @property
    def image(self) -> str:
        """Return the image of the program."""
        return image_of(self.case)


def image_of(case: TrainingCase) -> str:
    """Return the image of the training program: the spec's, or the trainer's own."""
    sequence = case.spec.trainer is TrainerName.SEQUENCE
    own = case.operand.sequence_image if sequence else case.operand.training_image
    return case.spec.image or own


def plan_launch(work: LaunchWork) -> Iterator[Manifest]:
    """Yield what a launch needs, its Job last."""
    case, labels = work.case, _labels(work.case)
    files = build_job_file(case, work.around, work.run.number, work.device, work.image)
    config = build_config_map(case.owner, "job", files, labels)
    yield config
    yield _build_job(work, config["metadata"]["name"])


def plan_training_network(
    case: TrainingCase, source: Source, around: Surroundings
) -> Iterator[Manifest]:
    """Yield the policy of the pods; none where the system has no isolation either."""
    if source.spec.network.isolation is Isolation.OFF:
        return
    operand = case.operand
    watchers = [operator_peer(operand.operator_namespace)] if operand.operator_namespace else []
    yield build_job_policy(
        build_metadata(case.owner, child_name(case.owner, "training"), _labels(case)),
        build_own_selector(case.owner),
        ingress=[build_ingress(watchers, [PROGRESS_PORT])] if watchers else [],
        egress=[
            build_name_resolution(operand.name_servers),
            build_egress([component_peer(source.owner, around.store.name)], [around.port]),
        ],
    )


def _labels(case: TrainingCase) -> dict[str, str]:
    return {**build_labels_within(case.spec.system, case.owner), NAME: _APP}


def _build_job(work: LaunchWork, config_map: str) -> Manifest:
    spec, run = work.case.spec, work.run
    labels = {
        **_labels(work.case),
        ROLE: JOB_ROLE,
        RUN: str(run.number),
        LAUNCH_LABEL: str(work.number),
        RECIPE_LABEL: run.recipe,
        DEVICE_LABEL: work.device.name,
    }
    limits = Limits(None, spec.retries, whole_seconds(parse_duration(spec.ttl)))
    job = build_job_spec(_build_template(work, labels, config_map), limits)
    if spec.queue_name is not None:
        labels[QUEUE_LABEL] = spec.queue_name
        job["suspend"] = True  # until Kueue admits it
    manifest = build_job(work.case.owner, work.name, labels, job)
    told = {SCHEDULED_ANNOTATION: run.scheduled_for, CHAMPION_ANNOTATION: run.champion}
    annotations = {name: value for name, value in told.items() if value}
    if annotations:
        manifest["metadata"]["annotations"] = annotations
    return manifest


def _build_template(work: LaunchWork, labels: dict[str, str], config_map: str) -> Manifest:
    case, device = work.case, work.device
    placement = Placement(
        node_selector=device.node_selector,
        tolerations=build_tolerations(device.tolerations, f"devices.{device.name}.tolerations"),
        priority_class=case.spec.priority_class_name,
        same_node=work.around.node_group,
    )
    pod = Pod(
        container=_build_program(work),
        user=work.around.user,
        group=work.around.group,
        grace_seconds=_STOP_SECONDS,
        mounts=tuple(_mounts(work, config_map)),
        secret_files=(work.around.password,),
        pull_secrets=tuple(work.source.spec.image_pull_secrets),
        placement=placement,
    )
    selector = dict[str, str]()  # nothing is spread
    spec = build_pod_spec(pod) | build_placement(work.source.owner, selector, placement)
    # Should nobody count while the operator is away, a pod ends by itself.
    spec["activeDeadlineSeconds"] = max(1, whole_seconds(time_left(case.spec, work.run)))
    if device.runtime_class_name is not None:
        spec["runtimeClassName"] = device.runtime_class_name
    return {"metadata": {"labels": {**labels, **build_placement_labels(placement)}}, "spec": spec}


def _build_program(work: LaunchWork) -> Container:
    spec, device = work.case.spec, work.device
    devices = None if device.resource is None else {device.resource: device.count}
    return Container(
        image=work.image,
        command=tuple(spec.command or _COMMAND),
        env=(
            {"name": "TRADING_TRAINING_JOB", "value": f"{JOB_FOLDER}/{JOB_FILE}"},
            {"name": "HOME", "value": "/tmp"},
        ),
        ports={"progress": PROGRESS_PORT},
        resources=build_resources(device.resources or spec.resources, devices),
    )


def _mounts(work: LaunchWork, config_map: str) -> Iterator[Mount]:
    yield build_config_mount("job", JOB_FOLDER, config_map)
    yield build_claim_mount("models", MODELS_FOLDER, work.around.claim, read_only=False)
    if work.around.config_map is not None:
        yield build_config_mount("config", CONFIG_FOLDER, work.around.config_map)
