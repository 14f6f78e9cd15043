"""A service as objects: Deployment or one-pod StatefulSet, and its Service."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from trading_operator.api.common import parse_duration
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.service import Service, WorkloadType
from trading_operator.manifests.deployment import build_deployment
from trading_operator.manifests.metadata import Manifest, Part
from trading_operator.manifests.pod import (
    SECRETS_PATH,
    TMP_PATH,
    Container,
    Mount,
    Pod,
    build_claim_mount,
    build_config_mount,
    build_scratch_mount,
)
from trading_operator.manifests.probe import whole_seconds
from trading_operator.manifests.quantity import build_resources
from trading_operator.manifests.stateful_set import build_stateful_set
from trading_operator.plan.amounts import check_resources
from trading_operator.plan.configs import Config, plan_config
from trading_operator.plan.draft import SERVICE, Draft, Needs, System
from trading_operator.plan.environment import Environment, plan_environment
from trading_operator.plan.exposing import plan_address, plan_ingress
from trading_operator.plan.health import plan_probes
from trading_operator.plan.images import image_findings, image_tag
from trading_operator.plan.outside import outside_digests
from trading_operator.plan.placing import holds_volume, node_group, plan_placement
from trading_operator.plan.revision import build_revised_template
from trading_operator.plan.scaling import plan_autoscaler, plan_drain, plan_replicas
from trading_operator.plan.trading_state import build_state_mount, refuse_hidden_state
from trading_operator.plan.volumes import claim_name, find_volume, missing_class


def plan_service(system: System, service: Service, path: str) -> Draft:
    """Return the draft of a service; raises InvalidSpecError."""
    part = Part(system.owner, service.name, service.name, image_tag(service.image))
    configs = _configs(system, service, path)
    environment = plan_environment(system, service, path)
    needs = _needs(system, service, configs, environment, path)
    pod = _build_pod(system, service, configs, environment, path)
    outside = outside_digests(system, environment.secrets, needs.config_maps)
    revision, template = build_revised_template(part, pod, outside)
    return Draft(
        part=part,
        kind=SERVICE,
        path=path,
        dependencies=tuple(service.depends_on),
        workload=_build_workload(system, part, service, template),
        revision=revision,
        ports={port.name: port.port for port in service.ports},
        service=plan_address(part, service, path),
        extras=_plan_extras(system, part, service, path),
        least=None if service.autoscaling is None else service.autoscaling.min,
        configs=tuple(config.manifest for config in configs if config.manifest is not None),
        needs=needs,
        findings=image_findings(service.image, f"{path}.image"),
        start_patience=_start_patience(service),
    )


def _start_patience(service: Service) -> timedelta | None:
    """Return how long the author lets a start take; else the thresholds of the checks say it."""
    if "startup_deadline" not in service.model_fields_set:
        return None
    return parse_duration(service.startup_deadline)


def _plan_extras(system: System, part: Part, service: Service, path: str) -> tuple[Manifest, ...]:
    same_node = node_group(system.spec, service) is not None
    extras = (
        plan_autoscaler(part, service, path),
        plan_drain(part, service, same_node, path),
        plan_ingress(part, service, path),
    )
    return tuple(extra for extra in extras if extra is not None)


def _configs(system: System, service: Service, path: str) -> tuple[Config, ...]:
    return tuple(
        plan_config(system, mount.name, f"{path}.configs[{at}].name")
        for at, mount in enumerate(service.configs)
    )


def _needs(
    system: System,
    service: Service,
    configs: Sequence[Config],
    environment: Environment,
    path: str,
) -> Needs:
    config_maps = {
        config.config_map: f"{path}.configs[{at}]"
        for at, config in enumerate(configs)
        if config.manifest is None
    }
    return Needs(
        secrets=environment.needs,
        optional_secrets={
            file.secret: f"{path}.dependsOn" for file in environment.secret_files if file.optional
        },
        config_maps=config_maps,
        storage_classes=dict(_missing_classes(system, service, path)),
    )


def _missing_classes(system: System, service: Service, path: str) -> Iterator[tuple[str, str]]:
    for at, mount in enumerate(service.volumes):
        volume = find_volume(system, mount.name, f"{path}.volumes[{at}].name")
        storage_class = missing_class(system, volume)
        if storage_class is not None:
            yield storage_class, f"volumes[{system.spec.volumes.index(volume)}].storageClassName"


def _build_pod(
    system: System,
    service: Service,
    configs: Sequence[Config],
    environment: Environment,
    path: str,
) -> Pod:
    mounts = (
        *_config_mounts(service, configs),
        *_volume_mounts(system, service),
        *_scratch_mounts(service),
    )
    _refuse_shared_folders(mounts, path)
    refuse_hidden_state(service, path)
    return Pod(
        container=_build_container(service, environment, path),
        user=service.run_as_user,
        group=service.run_as_group,
        grace_seconds=whole_seconds(parse_duration(service.termination_grace_period)),
        mounts=(*mounts, build_state_mount(system.owner)),
        secret_files=environment.secret_files,
        pull_secrets=tuple(system.spec.image_pull_secrets),
        placement=plan_placement(system.spec, service, path),
    )


def _build_container(service: Service, environment: Environment, path: str) -> Container:
    check_resources(service.resources, f"{path}.resources")
    devices = {} if service.gpu is None else {service.gpu.resource: service.gpu.count}
    return Container(
        image=service.image,
        command=tuple(service.command),
        args=tuple(service.args),
        env=environment.variables,
        ports={port.name: port.port for port in service.ports},
        resources=build_resources(service.resources, devices),
        probes=plan_probes(service, path),
        pull_policy=service.image_pull_policy,
    )


def _config_mounts(service: Service, configs: Sequence[Config]) -> Iterator[Mount]:
    for mount, config in zip(service.configs, configs, strict=True):
        yield build_config_mount(f"config-{mount.name}", mount.mount_path, config.config_map)


def _volume_mounts(system: System, service: Service) -> Iterator[Mount]:
    for mount in service.volumes:
        claim = claim_name(system.owner, mount.name)
        yield build_claim_mount(f"volume-{mount.name}", mount.mount_path, claim, mount.read_only)


def _scratch_mounts(service: Service) -> Iterator[Mount]:
    for at, path in enumerate(service.writable_paths):
        yield build_scratch_mount(f"scratch-{at}", path)


def _refuse_shared_folders(mounts: Sequence[Mount], path: str) -> None:
    taken = {SECRETS_PATH, TMP_PATH}
    for mount in mounts:
        folder = mount.path.rstrip("/") or "/"
        if folder in taken:
            raise InvalidSpecError(
                path,
                f"{folder} is mounted twice (the operator itself uses {SECRETS_PATH}, {TMP_PATH})",
                "give each config, volume and writable path a folder of its own",
            )
        taken.add(folder)


def _build_workload(system: System, part: Part, service: Service, template: Manifest) -> Manifest:
    replicas = plan_replicas(system, part, service)
    if service.workload is WorkloadType.SINGLE_WRITER:
        return build_stateful_set(part, replicas, template)
    surge = service.gpu is None and not holds_volume(system.spec, service)
    return build_deployment(part, replicas, template, surge)
