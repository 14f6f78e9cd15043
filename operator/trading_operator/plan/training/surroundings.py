"""What a training takes from its system: the database, the models volume, the features' config."""

from collections.abc import Iterable
from dataclasses import dataclass

from trading_operator.api.datastore import Datastore
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.service import Service
from trading_operator.api.sharing import AccessMode, SharedVolume
from trading_operator.engines import ENGINES
from trading_operator.engines.base import Endpoint
from trading_operator.manifests.config_map import config_map_name
from trading_operator.manifests.metadata import child_name
from trading_operator.manifests.pod import SecretFile
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.address import service_name
from trading_operator.plan.backup.case import Source
from trading_operator.plan.observed import PodFacts, Ref
from trading_operator.plan.placing import volume_group
from trading_operator.plan.references import credentials_name, password_key
from trading_operator.plan.training.case import TrainingCase
from trading_operator.plan.types import STATEFUL_SET
from trading_operator.plan.volumes import claim_name


@dataclass(frozen=True)
class Surroundings:
    """The parts of the system that a training's pod works with; `awaited` are not there yet."""

    store: Datastore
    endpoint: Endpoint
    port: int  # of the database's pods
    password: SecretFile
    claim: str
    node_group: str | None
    config_map: str | None
    user: int
    group: int
    awaited: tuple[str, ...] = ()


def find_surroundings(case: TrainingCase, source: Source) -> Surroundings:
    """Return what the training works with; raises InvalidSpecError for what the system lacks."""
    store = _find_store(case, source)
    volume = _find_volume(case, source)
    service = _find_service(case, source)
    engine = ENGINES[store.engine]
    claim = claim_name(source.owner, volume.name)
    workload = Ref(STATEFUL_SET, child_name(source.owner, store.name))
    there = {store.name: workload, volume.name: Ref(CLAIM_KIND, claim)}
    writer = service or _writer(source, volume)
    return Surroundings(
        store=store,
        endpoint=Endpoint(service_name(source.owner, store), store.port or engine.port),
        port=engine.port,
        password=SecretFile(
            f"{store.name}/password", credentials_name(source.owner, store), password_key(store)
        ),
        claim=claim,
        node_group=volume_group(source.spec, volume),
        config_map=_find_config(case, source),
        user=1000 if writer is None else writer.run_as_user,
        group=1000 if writer is None else writer.run_as_group,
        awaited=tuple(name for name, ref in there.items() if ref not in source.children),
    )


def choose_address(pods: Iterable[PodFacts]) -> str:
    """Return where to ask: a pod that is Ready, or one that may become it, but none that goes."""
    alive = [pod for pod in pods if pod.address and not pod.deleting]
    return next((pod.address for pod in sorted(alive, key=lambda pod: not pod.ready)), "")


def report_port(case: TrainingCase, source: Source) -> int | None:
    """Return the port of the service's pods that answers what they trade with."""
    service = _find_service(case, source)
    if service is None:
        return None
    promotion = case.spec.promotion
    wanted = promotion.port if promotion is not None else None
    return next(each.port for each in service.ports if wanted in (None, each.name))


def _find_store(case: TrainingCase, source: Source) -> Datastore:
    wanted = case.spec.dataset.source
    stores = [each for each in source.spec.datastores if ENGINES[each.engine].keeps_market_data]
    found = next((each for each in stores if each.name == wanted), None)
    if found is None:
        known = ", ".join(each.name for each in stores) or "none"
        raise InvalidSpecError(
            "dataset.source",
            f"{source.owner.name} has no datastore {wanted} with market data (it has {known})",
            "mend the name",
        )
    return found


def _find_volume(case: TrainingCase, source: Source) -> SharedVolume:
    wanted = case.spec.volume
    found = next((each for each in source.spec.volumes if each.name == wanted), None)
    if found is None:
        known = ", ".join(each.name for each in source.spec.volumes) or "none"
        raise InvalidSpecError(
            "volume",
            f"{source.owner.name} has no volume {wanted} (it has {known})",
            "mend the name, or add the volume to the system",
        )
    if found.access_mode is AccessMode.READ_WRITE_ONCE_POD:
        raise InvalidSpecError(
            "volume",
            f"{wanted} is for one pod ({found.access_mode}), and a training is another one",
            "use another accessMode",
        )
    return found


def _find_service(case: TrainingCase, source: Source) -> Service | None:
    promotion = case.spec.promotion
    if promotion is None:
        return None
    found = next((each for each in source.spec.services if each.name == promotion.service), None)
    if found is None:
        known = ", ".join(each.name for each in source.spec.services) or "none"
        raise InvalidSpecError(
            "promotion.service",
            f"{source.owner.name} has no service {promotion.service} (it has {known})",
            "mend the name",
        )
    if not any(mount.name == case.spec.volume for mount in found.volumes):
        raise InvalidSpecError(
            "promotion.service",
            f"{found.name} does not mount the volume {case.spec.volume}, and could read no model",
            "mount it there, or mend spec.volume",
        )
    ports = [each.name for each in found.ports]
    if not ports or promotion.port not in (None, *ports):
        raise InvalidSpecError(
            "promotion.port",
            f"{found.name} has no such port (it has {', '.join(ports) or 'none'})",
            "mend the name: GET /models is asked there",
        )
    return found


def _writer(source: Source, volume: SharedVolume) -> Service | None:
    users = [
        (mount.read_only, at)
        for at, service in enumerate(source.spec.services)
        for mount in service.volumes
        if mount.name == volume.name
    ]
    return source.spec.services[min(users)[1]] if users else None


def _find_config(case: TrainingCase, source: Source) -> str | None:
    wanted = case.spec.config
    if wanted is None:
        return None
    bundle = next((each for each in source.spec.configs if each.name == wanted), None)
    if bundle is None:
        known = ", ".join(each.name for each in source.spec.configs) or "none"
        raise InvalidSpecError(
            "config",
            f"{source.owner.name} has no config {wanted} (it has {known})",
            "mend the name, or add it to the system's configs",
        )
    if bundle.config_map_ref is not None:
        return bundle.config_map_ref
    return config_map_name(source.owner, wanted, bundle.files or {})
