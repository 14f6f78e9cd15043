"""What must be there before a component can start or change: a person mends what is not."""

from collections.abc import Callable, Iterable, Iterator

from trading_operator.api.datastore import Datastore
from trading_operator.api.reasons import (
    CONFIG_MAP_NOT_FOUND,
    CREDENTIALS_CHANGE,
    MAJOR_VERSION_CHANGE,
    NAME_CONFLICT,
    SECRET_KEY_NOT_FOUND,
    SECRET_NOT_FOUND,
)
from trading_operator.api.sharing import Isolation
from trading_operator.engines import ENGINES
from trading_operator.manifests.metadata import (
    VERSION,
    Manifest,
    build_system_selector,
)
from trading_operator.manifests.network_policy import default_deny_name
from trading_operator.manifests.volume_claim import CLAIM_KIND
from trading_operator.plan.draft import DATASTORE, Draft, System
from trading_operator.plan.observed import Ref, ref_of
from trading_operator.plan.readiness import live_revision
from trading_operator.plan.references import credentials_name, generated_secrets, password_key
from trading_operator.plan.trading_state import find_state_block
from trading_operator.plan.types import STATEFUL_SET, Block
from trading_operator.plan.volume_checks import (
    find_class_change,
    find_left_over,
    find_lost_credentials,
    find_missing_class,
    find_size_fault,
    labels_of,
)
from trading_operator.plan.volumes import has_data

GENERATED_KEY = "password"
Check = Callable[[System, Draft], Block | None]


def find_block(system: System, draft: Draft) -> Block | None:
    """Return the first reason why a person must act before the component can start or change."""
    return next(find_blocks(system, draft), None)


def find_blocks(system: System, draft: Draft) -> Iterator[Block]:
    """Yield every reason why a person must act before the component can start or change."""
    found = (check(system, draft) for check in CHECKS)
    return (block for block in found if block is not None)


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


def _secret_vanished(system: System, draft: Draft) -> Block | None:
    """Hold a running component whose optional Secret is away: it starts without, but stays as is.

    Its revision would change by the Secret's absence alone.
    """
    if live_revision(system.observed, draft.ref) in (None, draft.revision):
        return None
    generated = generated_secrets(system.owner, system.spec)
    for name, path in draft.needs.optional_secrets.items():
        if name not in generated and name not in system.observed.secrets:
            return Block(
                SECRET_NOT_FOUND,
                f"{path}: there is no Secret {name}; create it, what runs is not changed before",
            )
    return None


def _config_map_missing(system: System, draft: Draft) -> Block | None:
    for name, path in draft.needs.config_maps.items():
        ours = Ref("ConfigMap", name) in system.observed.children  # of a revision that came back
        if name not in system.observed.config_maps and not ours:
            return Block(
                CONFIG_MAP_NOT_FOUND,
                f"{path}: there is no ConfigMap {name}; create it or mend configMapRef",
            )
    return None


def _credentials_foreign(system: System, draft: Draft) -> Block | None:
    """Refuse a Secret under the generated name that is not this system's: another one's opens
    nothing here, and the volume that belongs to it may be there too.
    """
    if draft.secret is None:
        return None
    name = ref_of(draft.secret.manifest).name
    facts = system.observed.secrets.get(name)
    if facts is None:
        return None
    if build_system_selector(system.owner).items() <= facts.labels.items():
        if GENERATED_KEY in facts.keys:
            return None
        return Block(
            SECRET_KEY_NOT_FOUND,
            f"{draft.path}: Secret {name} has no key {GENERATED_KEY}; restore it with the "
            "password that opens the volume",
        )
    return Block(
        NAME_CONFLICT,
        f"{draft.path}: Secret {name} exists and does not belong to this system; rename the "
        f"datastore or remove the Secret (one that was restored needs the labels "
        f"{labels_of(system)})",
    )


def _major_version_change(system: System, draft: Draft) -> Block | None:
    live = system.observed.children.get(draft.ref)
    if live is None or draft.kind != DATASTORE or not has_data(live):
        return None
    # Of the template: the operator puts that back itself when somebody edits it.
    before, after = _major_of(live), _major_of(draft.workload)
    if before in ("", after):
        return None
    return Block(
        MAJOR_VERSION_CHANGE,
        f"{draft.path}.version: major version {before} cannot become {after} in place, because "
        f"there is no way back; set it to {before} again, add a new datastore with {after} and "
        "move the data",
    )


def _major_of(workload: Manifest) -> str:
    labels = workload["spec"]["template"].get("metadata", {}).get("labels") or {}
    return str(labels.get(VERSION, "")).partition(".")[0]


def _other_kind(system: System, draft: Draft) -> Block | None:
    """Refuse a datastore under the name of a service that runs, and the other way round.

    Both are StatefulSets, and whether one has a volume cannot change.
    """
    live = system.observed.children.get(draft.ref)
    if live is None or draft.ref.kind != STATEFUL_SET:
        return None
    was, now = has_data(live), draft.kind == DATASTORE
    if was == now:
        return None
    return Block(
        NAME_CONFLICT,
        f"{draft.path}: {draft.ref.kind} {draft.ref.name} is a "
        f"{'datastore' if was else 'service'} until now; rename {draft.path}, or delete the "
        f"{draft.ref.kind}",
    )


def _credentials_change(system: System, draft: Draft) -> Block | None:
    """Refuse another Secret for a password that was read when the volume was initialised."""
    live = system.observed.children.get(draft.ref)
    store = system.components[draft.name]
    if live is None or not isinstance(store, Datastore):
        return None
    if not ENGINES[store.engine].contract.password_stays:
        return None
    before = _password_source(live, store.name)
    after = (credentials_name(system.owner, store), password_key(store))
    if before in (None, after):
        return None
    return Block(
        CREDENTIALS_CHANGE,
        f"{draft.path}.credentials: the password was set when the volume was first initialised "
        f"and stays that of Secret {before[0]}, key {before[1]}; set it back, or add a new "
        "datastore and move the data",
    )


def _password_source(workload: Manifest, store: str) -> tuple[str, str] | None:
    """Return the name and key of the Secret behind a live datastore's password file."""
    for volume in workload["spec"]["template"]["spec"].get("volumes") or ():
        for source in volume.get("projected", {}).get("sources", ()):
            secret = source.get("secret", {})
            for item in secret.get("items", ()):
                if item["path"] == f"{store}/password":
                    return secret["name"], item["key"]
    return None


CHECKS: tuple[Check, ...] = (
    _name_conflict,
    _other_kind,
    _major_version_change,
    find_class_change,
    find_left_over,
    find_lost_credentials,
    _credentials_foreign,
    _credentials_change,
    find_size_fault,
    _secret_missing,
    _secret_vanished,
    _config_map_missing,
    find_missing_class,
    find_state_block,
)
