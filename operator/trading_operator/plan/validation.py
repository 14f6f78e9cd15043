"""What must be there before a component can start or change: a person mends what is not."""

from collections.abc import Callable, Iterable, Iterator

from trading_operator.api.datastore import Datastore
from trading_operator.api.reasons import (
    CONFIG_MAP_NOT_FOUND,
    CREDENTIALS_LOST,
    MAJOR_VERSION_CHANGE,
    NAME_CONFLICT,
    SECRET_KEY_NOT_FOUND,
    SECRET_NOT_FOUND,
    STORAGE_CLASS_CHANGE,
    STORAGE_CLASS_NOT_FOUND,
)
from trading_operator.api.sharing import Isolation
from trading_operator.manifests.metadata import VERSION
from trading_operator.manifests.network_policy import default_deny_name
from trading_operator.plan.draft import DATASTORE, Draft, System
from trading_operator.plan.references import generated_secrets
from trading_operator.plan.types import Block, Ref, ref_of
from trading_operator.plan.volumes import CLAIM_KIND, data_claim_name

Check = Callable[[System, Draft], Block | None]


def find_block(system: System, draft: Draft) -> Block | None:
    """Return the first reason why a person must act before the component can start or change."""
    found = (check(system, draft) for check in CHECKS)
    return next((block for block in found if block is not None), None)


def _name_conflict(system: System, draft: Draft) -> Block | None:
    for ref in _names(system, draft):
        if ref in system.observed.foreign:
            return Block(
                NAME_CONFLICT,
                f"{ref.kind} {ref.name} exists and does not belong to this system; "
                f"rename {draft.path} or remove the {ref.kind}",
            )
    return None


def _names(system: System, draft: Draft) -> Iterator[Ref]:
    """Yield all objects that the component needs to be the system's own."""
    yield from (ref_of(manifest) for manifest in draft.objects)
    if draft.secret is not None:
        yield ref_of(draft.secret.manifest)
    yield from (Ref(CLAIM_KIND, name) for name in _claims(draft))
    if system.spec.network.isolation is Isolation.ENFORCED:
        yield Ref("NetworkPolicy", draft.part.name)
        yield Ref("NetworkPolicy", default_deny_name(system.owner))


def _claims(draft: Draft) -> Iterable[str]:
    volumes = draft.workload["spec"]["template"]["spec"]["volumes"]
    claims = (volume.get("persistentVolumeClaim") for volume in volumes)
    return (claim["claimName"] for claim in claims if claim is not None)


def _secret_missing(system: System, draft: Draft) -> Block | None:
    generated = generated_secrets(system.owner, system.spec)
    for need in draft.needs.secrets:
        if need.name in generated:
            continue
        facts = system.observed.secrets.get(need.name)
        if facts is None:
            return Block(
                SECRET_NOT_FOUND,
                f"{need.path}: there is no Secret {need.name}; create it with the key {need.key}",
            )
        if need.key not in facts.keys:
            has = ", ".join(sorted(facts.keys)) or "none"
            return Block(
                SECRET_KEY_NOT_FOUND,
                f"{need.path}: Secret {need.name} has no key {need.key} (it has {has}); "
                "add the key or name another",
            )
    return None


def _config_map_missing(system: System, draft: Draft) -> Block | None:
    for name, path in draft.needs.config_maps.items():
        if name not in system.observed.config_maps:
            return Block(
                CONFIG_MAP_NOT_FOUND,
                f"{path}: there is no ConfigMap {name}; create it or mend configMapRef",
            )
    return None


def _storage_class_missing(system: System, draft: Draft) -> Block | None:
    known = system.observed.storage_classes
    if known is None:
        return None
    for name, path in draft.needs.storage_classes.items():
        if name not in known:
            has = ", ".join(sorted(known)) or "none"
            return Block(
                STORAGE_CLASS_NOT_FOUND,
                f"{path}: the cluster has no StorageClass {name} (it has {has}); "
                "create it or name another",
            )
    return None


def _credentials_lost(system: System, draft: Draft) -> Block | None:
    if draft.secret is None:
        return None
    name = ref_of(draft.secret.manifest).name
    claim = Ref(CLAIM_KIND, data_claim_name(draft.part.name))
    if name in system.observed.secrets or not {draft.ref, claim} & system.observed.children.keys():
        return None
    return Block(
        CREDENTIALS_LOST,
        f"{draft.path}: the generated Secret {name} is gone, and its password opens the volume; "
        f"restore it with the keys username and password, or delete {claim.kind} {claim.name} "
        "to begin with an empty one",
    )


def _major_version_change(system: System, draft: Draft) -> Block | None:
    live = system.observed.children.get(draft.ref)
    if live is None or draft.kind != DATASTORE:
        return None
    before = _major(live["metadata"].get("labels", {}).get(VERSION, ""))
    after = _major(draft.part.version)
    if before in ("", after):
        return None
    return Block(
        MAJOR_VERSION_CHANGE,
        f"{draft.path}.version: major version {before} cannot become {after} in place, because "
        f"there is no way back; set it to {before} again, add a new datastore with {after} and "
        "move the data",
    )


def _storage_class_change(system: System, draft: Draft) -> Block | None:
    live = system.observed.children.get(draft.ref)
    component = system.components[draft.name]
    if live is None or not isinstance(component, Datastore):
        return None
    before = live["spec"]["volumeClaimTemplates"][0]["spec"].get("storageClassName")
    after = component.storage.storage_class_name
    if before == after:
        return None
    return Block(
        STORAGE_CLASS_CHANGE,
        f"{draft.path}.storage.storageClassName: a volume stays in its class ({before or 'default'}"
        f"), it cannot move to {after or 'the default'}; set it back, or add a new datastore and "
        "move the data",
    )


def _major(version: str) -> str:
    return version.partition(".")[0]


CHECKS: tuple[Check, ...] = (
    _name_conflict,
    _major_version_change,
    _storage_class_change,
    _credentials_lost,
    _secret_missing,
    _config_map_missing,
    _storage_class_missing,
)
