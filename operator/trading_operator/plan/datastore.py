"""A datastore as objects: StatefulSet, volume claim, Service and generated password."""

from trading_operator.api.datastore import Datastore
from trading_operator.engines import ENGINES
from trading_operator.engines.base import Endpoint, SecretRequest, image_of, version_of
from trading_operator.manifests.metadata import Manifest, Part, child_name
from trading_operator.manifests.pod import (
    Mount,
    Pod,
    build_config_mount,
    build_scratch_mount,
)
from trading_operator.manifests.secret import build_secret_frame
from trading_operator.manifests.service import build_service
from trading_operator.manifests.stateful_set import build_claim_template, build_stateful_set
from trading_operator.manifests.volume_claim import Claim, build_claim_spec, keep_claim_spec
from trading_operator.plan.address import service_name
from trading_operator.plan.amounts import check_resources
from trading_operator.plan.claims import plan_data_claim
from trading_operator.plan.configs import Config, plan_config
from trading_operator.plan.draft import DATASTORE, Draft, Needs, SecretNeed, System
from trading_operator.plan.environment import password_file
from trading_operator.plan.images import image_findings
from trading_operator.plan.observed import Ref
from trading_operator.plan.outside import outside_digests
from trading_operator.plan.placing import plan_placement
from trading_operator.plan.references import credentials_name
from trading_operator.plan.revision import build_revised_template
from trading_operator.plan.scaling import plan_asked_drain
from trading_operator.plan.types import STATEFUL_SET
from trading_operator.plan.volumes import (
    DATA_VOLUME,
    claim_template,
    data_claim_name,
    data_claim_size,
    find_claim,
)

_PODS = 1  # replication is a later step of each engine


def plan_datastore(system: System, store: Datastore, path: str) -> Draft:
    """Return the draft of a datastore; raises InvalidSpecError."""
    engine = ENGINES[store.engine]
    engine.check(store, path)
    check_resources(store.resources, f"{path}.resources")
    part = Part(system.owner, store.name, engine.name.lower(), version_of(engine, store))
    config = _init_config(system, store, path)
    image = image_of(engine, store, system.operand, path)
    needs = _needs(system, store, config, path)
    secrets = (need.name for need in needs.secrets)
    outside = outside_digests(system, secrets, needs.config_maps)
    pod = _build_pod(system, store, image, config, path)
    revision, template = build_revised_template(part, pod, outside)
    endpoint = Endpoint(service_name(system.owner, store), store.port or engine.port)
    return Draft(
        part=part,
        kind=DATASTORE,
        path=path,
        dependencies=tuple(store.depends_on),
        workload=_build_workload(system, part, store, template),
        revision=revision,
        ports=pod.container.ports,
        service=build_service(
            part, endpoint.host, dict.fromkeys(pod.container.ports, endpoint.port)
        ),
        extras=()
        if store.disruption_budget is None
        else (plan_asked_drain(part, store.disruption_budget, path),),
        configs=() if config is None or config.manifest is None else (config.manifest,),
        claim=plan_data_claim(system, store),
        secret=_build_secret(part, store, endpoint),
        needs=needs,
        findings=image_findings(image, f"{path}.image"),
    )


def _init_config(system: System, store: Datastore, path: str) -> Config | None:
    if store.init_scripts is None:
        return None
    return plan_config(system, store.init_scripts.config, f"{path}.initScripts.config")


def _needs(system: System, store: Datastore, config: Config | None, path: str) -> Needs:
    secrets: tuple[SecretNeed, ...] = ()
    if store.credentials is not None:
        key = store.credentials.password_key
        secrets = (SecretNeed(store.credentials.secret_name, key, f"{path}.credentials"),)
    foreign = config is not None and config.manifest is None
    config_maps = {config.config_map: f"{path}.initScripts"} if config and foreign else {}
    storage_class = store.storage.storage_class_name
    # A volume that is there stays, whatever became of the class.
    live = find_claim(system, data_claim_name(child_name(system.owner, store.name)))
    classes = {} if storage_class is None or live else {storage_class: f"{path}.storage"}
    return Needs(secrets, config_maps=config_maps, storage_classes=classes)


def _build_pod(
    system: System, store: Datastore, image: str, config: Config | None, path: str
) -> Pod:
    engine = ENGINES[store.engine]
    contract = engine.contract
    password = password_file(system, store)
    mounts: tuple[Mount, ...] = (
        Mount(contract.data_path, {"name": DATA_VOLUME}),
        build_scratch_mount("run", contract.run_path, memory=True),
    )
    if config is not None and contract.init_path is not None:
        mounts = (*mounts, build_config_mount("init", contract.init_path, config.config_map))
    return Pod(
        container=engine.build_container(store, image, password),
        user=store.run_as_user or contract.user,
        group=store.run_as_group or store.run_as_user or contract.group,
        grace_seconds=contract.stop_seconds,
        mounts=mounts,
        secret_files=(password,),
        pull_secrets=tuple(system.spec.image_pull_secrets),
        placement=plan_placement(system.spec, store, path),
    )


def _build_workload(system: System, part: Part, store: Datastore, template: Manifest) -> Manifest:
    size = data_claim_size(system, store).template
    live = claim_template(system.observed.children.get(Ref(STATEFUL_SET, part.name), {}))
    if live is None:
        spec = build_claim_spec(Claim(size, "ReadWriteOnce", store.storage.storage_class_name))
    else:
        spec = keep_claim_spec(live, size)
    claims = [build_claim_template(part, DATA_VOLUME, spec)]
    return build_stateful_set(part, _PODS, template, claims)


def _build_secret(part: Part, store: Datastore, endpoint: Endpoint) -> SecretRequest | None:
    if store.credentials is not None:
        return None
    return SecretRequest(
        manifest=build_secret_frame(part, credentials_name(part.owner, store)),
        claim=data_claim_name(part.name),
        username=store.username,
        fields={
            "database": store.database,
            "host": endpoint.host,
            "port": str(endpoint.port),
            "uri": ENGINES[store.engine].uri(store, endpoint),
        },
    )
