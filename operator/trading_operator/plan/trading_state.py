"""spec.tradingState as a file in every service's pod, and how a pod hears of a new one at once.

The models that services are told to trade with are in the same ConfigMap (plan/models_file.py): so
they come to pods that run, and no template had to change for them.

The ConfigMap changes in place and pod templates never name its content, so that no pod restarts.
A kubelet looks at mounted ConfigMaps only every minute or so, but at once when the pod itself
changes: hence the annotation on the pod.
"""

from collections.abc import Iterator
from dataclasses import replace

from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.reasons import NAME_CONFLICT
from trading_operator.api.service import Service
from trading_operator.api.trading_system import TradingState
from trading_operator.manifests.config_map import build_mutable_config_map
from trading_operator.manifests.metadata import (
    HALTED_BY_ANNOTATION,
    HALTED_BY_UID_ANNOTATION,
    OLD_COMMAND_ANNOTATION,
    Manifest,
    Owner,
    child_name,
)
from trading_operator.manifests.pod import Mount, build_config_mount
from trading_operator.plan.draft import SERVICE, Draft, System
from trading_operator.plan.models_file import build_model_files, build_model_notice
from trading_operator.plan.observed import Halt, Observed, PodFacts, Ref, ref_of
from trading_operator.plan.sealing import seal
from trading_operator.plan.types import STATE_KEY, Block, ModelNotice, Plan, StateNotice

STATE_FOLDER = "/run/trading-state"
STATE_VARIABLE = "TRADING_STATE_FILE"
_VOLUME = "trading-state"
_HALT_ANNOTATIONS = (HALTED_BY_ANNOTATION, HALTED_BY_UID_ANNOTATION, OLD_COMMAND_ANNOTATION)
_STRICTNESS = {state.value: rank for rank, state in enumerate(TradingState)}


def trading_state_ref(owner: Owner) -> Ref:
    """Return the ConfigMap that holds the state."""
    return Ref("ConfigMap", child_name(owner, "trading-state"))


def state_file() -> str:
    """Return the path of the file that services read."""
    return f"{STATE_FOLDER}/{STATE_KEY}"


def build_state_mount(owner: Owner) -> Mount:
    """Build the folder with the file; a pod starts without it rather than not at all."""
    return build_config_mount(_VOLUME, STATE_FOLDER, trading_state_ref(owner).name, optional=True)


def refuse_hidden_state(service: Service, path: str) -> None:
    """Raise InvalidSpecError for a mount that leaves no place for the file.

    Without the file a service would trade on, whatever the spec says.
    """
    for at, mount in enumerate(service.configs):
        _refuse_in_the_way(mount.mount_path, f"{path}.configs[{at}].mountPath")
    for at, volume in enumerate(service.volumes):
        _refuse_in_the_way(volume.mount_path, f"{path}.volumes[{at}].mountPath")
    for at, folder in enumerate(service.writable_paths):
        # Within a writable folder that goes with the pod there is room for it.
        if _slashed(folder).startswith(_slashed(STATE_FOLDER)):
            _refuse_in_the_way(folder, f"{path}.writablePaths[{at}]")


def plan_trading_state(system: System) -> Iterator[Manifest]:
    """Yield the ConfigMap with the state; a system without services sends no orders."""
    ref = trading_state_ref(system.owner)
    # Services that left the spec go on reading the file while they still run.
    left = ref in system.observed.children and any(_trading_pods(system))
    if system.spec.services or left:
        state = {STATE_KEY: f"{system.spec.trading_state.value}\n"}
        files = {**state, **build_model_files(system, system.observed.children.get(ref))}
        manifest = build_mutable_config_map(system.owner, ref.name, files)
        if system.observed.halt is not None:
            # Remembered beside what it explains: it holds for as long as this does.
            manifest["metadata"]["annotations"] = _describe_halt(system.observed.halt)
        yield manifest


def read_halt(owner: Owner, observed: Observed) -> Halt | None:
    """Return what is remembered beside the state of why it is Halted."""
    file = observed.children.get(trading_state_ref(owner), {})
    annotations = file.get("metadata", {}).get("annotations") or {}
    found = [str(annotations.get(name, "")) for name in _HALT_ANNOTATIONS]
    return Halt(*found) if found[0] else None


def _describe_halt(halt: Halt) -> dict[str, str]:
    told = zip(_HALT_ANNOTATIONS, (halt.restore, halt.uid, halt.old_command), strict=True)
    return {name: value for name, value in told if value}


def plan_model_notice(system: System) -> ModelNotice | None:
    """Return whom to tell of the models: pods of services that have a file of their own."""
    ref = trading_state_ref(system.owner)
    files = build_model_files(system, system.observed.children.get(ref))
    return build_model_notice(system, ref, files) if files else None


def plan_notice(system: System) -> StateNotice:
    """Return whom to tell the state: pods of services, former ones among them."""
    state = system.spec.trading_state.value
    return StateNotice(state, trading_state_ref(system.owner), tuple(_pods_to_tell(system)))


def _pods_to_tell(system: System) -> Iterator[str]:
    wanted = system.spec.trading_state.value
    for pod in _trading_pods(system):
        if (pod.trading_state or TradingState.ACTIVE.value) != wanted:
            yield pod.name


def _trading_pods(system: System) -> Iterator[PodFacts]:
    stores = {store.name for store in system.spec.datastores}
    for pod in system.observed.pods:
        # The system's Jobs are no component, and trade nothing.
        if pod.component and pod.component not in stores and not pod.deleting:
            yield pod


def plan_restraint(system: System) -> Plan:
    """Return what tells services to trade less than they may now, and nothing else.

    It needs no other part of the spec to make sense, and waits for nothing.
    """
    files = tuple(map(seal, plan_trading_state(system)))
    return keep_stricter(Plan(objects=files, trading_state=plan_notice(system)), system.observed)


def keep_stricter(plan: Plan, observed: Observed) -> Plan:
    """Return the part of a plan that tells services to trade less than they may now."""
    notice = plan.trading_state
    if notice is None:
        return Plan()
    wanted, told = _rank(notice.state), _rank(notice.told(observed.children))
    if wanted < told or notice.file in observed.foreign:
        return Plan(trading_state=replace(notice, pods=()))
    freer = {pod.name for pod in observed.pods if _rank(pod.trading_state) < wanted}
    return Plan(
        objects=tuple(
            each for each in plan.objects if wanted > told and ref_of(each) == notice.file
        ),
        trading_state=replace(notice, pods=tuple(name for name in notice.pods if name in freer)),
    )


def _rank(state: str | None) -> int:
    """Return how strict a state is; what nobody was told, or nobody knows, holds nobody back."""
    return _STRICTNESS.get(state or "", 0)


def find_state_block(system: System, draft: Draft) -> Block | None:
    """Return why a service cannot be told the state: it would trade on when told to halt."""
    ref = trading_state_ref(system.owner)
    if draft.kind != SERVICE or ref not in system.observed.foreign:
        return None
    message = f"spec.tradingState: {ref.kind} {ref.name} belongs to somebody else: remove it"
    return Block(NAME_CONFLICT, message)


def _refuse_in_the_way(folder: str, path: str) -> None:
    own, needed = _slashed(folder), _slashed(STATE_FOLDER)
    if own.startswith(needed) or needed.startswith(own):
        raise InvalidSpecError(
            path,
            f"{folder} hides the trading state, which services read in {STATE_FOLDER}",
            f"mount it outside {STATE_FOLDER} and the folders above that",
        )


def _slashed(folder: str) -> str:
    return folder.rstrip("/") + "/"
