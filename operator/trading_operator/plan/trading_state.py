"""spec.tradingState as a file in every service's pod, and how a pod hears of a new one at once.

The ConfigMap changes in place and pod templates never name its content, so that no pod restarts.
A kubelet looks at mounted ConfigMaps only every minute or so, but at once when the pod itself
changes: hence the annotation on the pod.
"""

from collections.abc import Iterable, Iterator

from trading_operator.api.reasons import NAME_CONFLICT
from trading_operator.api.trading_system import TradingState
from trading_operator.manifests.config_map import build_mutable_config_map
from trading_operator.manifests.metadata import Manifest, Owner, child_name
from trading_operator.manifests.pod import Mount, build_config_mount
from trading_operator.plan.draft import SERVICE, Draft, System
from trading_operator.plan.types import STATE_KEY, Block, Ref, StateNotice

STATE_FOLDER = "/run/trading-state"
STATE_VARIABLE = "TRADING_STATE_FILE"
_VOLUME = "trading-state"


def trading_state_ref(owner: Owner) -> Ref:
    """Return the ConfigMap that holds the state."""
    return Ref("ConfigMap", child_name(owner, "trading-state"))


def state_file() -> str:
    """Return the path of the file that services read."""
    return f"{STATE_FOLDER}/{STATE_KEY}"


def state_mounts(owner: Owner, others: Iterable[Mount]) -> Iterator[Mount]:
    """Yield the folder with the file; a pod starts without it rather than not at all.

    A service's own mount in the same place stays: the folder could not be made within it.
    """
    if not any(_is_in_the_way(mount) for mount in others):
        name = trading_state_ref(owner).name
        yield build_config_mount(_VOLUME, STATE_FOLDER, name, optional=True)


def plan_trading_state(system: System) -> Iterator[Manifest]:
    """Yield the ConfigMap with the state; a system without services sends no orders."""
    if system.spec.services:
        files = {STATE_KEY: f"{system.spec.trading_state.value}\n"}
        yield build_mutable_config_map(system.owner, trading_state_ref(system.owner).name, files)


def plan_notice(system: System) -> StateNotice:
    """Return whom to tell the state: pods of services, former ones among them."""
    state = system.spec.trading_state.value
    return StateNotice(state, trading_state_ref(system.owner), tuple(_pods_to_tell(system)))


def _pods_to_tell(system: System) -> Iterator[str]:
    stores = {store.name for store in system.spec.datastores}
    wanted = system.spec.trading_state.value
    for pod in system.observed.pods:
        told = pod.trading_state or TradingState.ACTIVE.value
        # The system's Jobs are no component, and trade nothing.
        trades = bool(pod.component) and pod.component not in stores
        if trades and not pod.deleting and told != wanted:
            yield pod.name


def find_state_block(system: System, draft: Draft) -> Block | None:
    """Return why a service cannot be told the state: it would trade on when told to halt."""
    ref = trading_state_ref(system.owner)
    if draft.kind != SERVICE or ref not in system.observed.foreign:
        return None
    message = f"spec.tradingState: {ref.kind} {ref.name} belongs to somebody else: remove it"
    return Block(NAME_CONFLICT, message)


def _is_in_the_way(mount: Mount) -> bool:
    own, folder = mount.path.rstrip("/") + "/", STATE_FOLDER + "/"
    if own.startswith(folder):
        return True
    # Within a writable folder that goes with the pod there is room for it.
    return folder.startswith(own) and "emptyDir" not in mount.volume
