"""A datastore as objects: StatefulSet, Service and generated password."""

from trading_operator.api.datastore import Datastore
from trading_operator.engines import ENGINES
from trading_operator.engines.base import Endpoint, SecretRequest, image_of, version_of
from trading_operator.manifests.metadata import Manifest, Part, build_selector, child_name
from trading_operator.manifests.pod import (
    Mount,
    Pod,
    build_config_mount,
    build_scratch_mount,
)
from trading_operator.manifests.secret import build_secret_frame
from trading_operator.manifests.service import build_service
from trading_operator.manifests.stateful_set import build_claim_template, build_stateful_set
from trading_operator.manifests.volume_claim import Claim, build_claim_growth, build_claim_spec
from trading_operator.plan.address import service_name
from trading_operator.plan.configs import Config, plan_config
from trading_operator.plan.draft import DATASTORE, Draft, Needs, SecretNeed, System
from trading_operator.plan.environment import password_file
from trading_operator.plan.images import image_findings
from trading_operator.plan.outside import outside_digests
from trading_operator.plan.references import credentials_name
from trading_operator.plan.revision import build_revised_template
from trading_operator.plan.types import STATEFUL_SET, Ref
from trading_operator.plan.volumes import DATA_VOLUME, data_claim_name, data_claim_size

_PODS = 1  # replication is a later step of each engine


def plan_datastore(system: System, store: Datastore, path: str) -> Draft:
    """Return the draft of a datastore; raises InvalidSpecError."""
    engine = ENGINES[store.engine]
    engine.check(store, path)
    part = Part(system.owner, store.name, engine.name.lower(), version_of(engine, store))
    config = _init_config(system, store, path)
    image = image_of(engine, store, system.operand, path)
    needs = _needs(system, store, config, path)
    secrets = (need.name for need in needs.secrets)
    outside = outside_digests(system, secrets, needs.config_maps)
    pod = _build_pod(system, store, image, config)
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
        configs=() if config is None or config.manifest is None else (config.manifest,),
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
    # A StatefulSet that is there has its volume, whatever became of the class.
    live = Ref(STATEFUL_SET, child_name(system.owner, store.name)) in system.observed.children
    classes = {} if storage_class is None or live else {storage_class: f"{path}.storage"}
    return Needs(secrets, config_maps=config_maps, storage_classes=classes)


def _build_pod(system: System, store: Datastore, image: str, config: Config | None) -> Pod:
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
        user=contract.user,
        group=contract.group,
        grace_seconds=contract.stop_seconds,
        mounts=mounts,
        secret_files=(password,),
        pull_secrets=tuple(system.spec.image_pull_secrets),
    )


def _build_workload(system: System, part: Part, store: Datastore, template: Manifest) -> Manifest:
    claim = Claim(store.storage.size, "ReadWriteOnce", store.storage.storage_class_name)
    claims = [build_claim_template(part, DATA_VOLUME, build_claim_spec(claim))]
    live = system.observed.children.get(Ref(STATEFUL_SET, part.name))
    if live is not None:
        # Immutable: a volume that grows does so in its claim.
        claims = [
            build_claim_template(part, DATA_VOLUME, _claim_spec(template))
            for template in live["spec"].get("volumeClaimTemplates", ())
        ]
    return build_stateful_set(part, _PODS, template, claims)


def plan_growth(system: System, store: Datastore) -> Manifest | None:
    """Return the claim of a datastore whose volume must grow, None when it need not."""
    size = data_claim_size(system, store)
    if not size.grows:
        return None
    name = data_claim_name(child_name(system.owner, store.name))
    labels = build_selector(system.owner, store.name)
    return build_claim_growth(system.owner, name, labels, size.request, size.asked)


def _claim_spec(live: Manifest) -> Manifest:
    kept = ("accessModes", "resources", "storageClassName")
    return {name: live["spec"][name] for name in kept if name in live["spec"]}


def _build_secret(part: Part, store: Datastore, endpoint: Endpoint) -> SecretRequest | None:
    if store.credentials is not None:
        return None
    return SecretRequest(
        manifest=build_secret_frame(part, credentials_name(part.owner, store)),
        username=store.username,
        fields={
            "database": store.database,
            "host": endpoint.host,
            "port": str(endpoint.port),
            "uri": ENGINES[store.engine].uri(store, endpoint),
        },
    )
