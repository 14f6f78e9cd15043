"""What pods read and the operator did not write: its changes roll them."""

from collections.abc import Iterable, Mapping

from trading_operator.plan.draft import System
from trading_operator.plan.references import generated_secrets


def outside_digests(
    system: System, secrets: Iterable[str], config_maps: Iterable[str]
) -> Mapping[str, str]:
    """Return the digests of the referenced Secrets and ConfigMaps, by kind and name."""
    observed = system.observed
    seen = {
        f"secret/{name}": observed.secrets[name].digest
        for name in _foreign(system, secrets)
        if name in observed.secrets
    }
    return seen | {
        f"configmap/{name}": observed.config_digests.get(name, "") for name in config_maps
    }


def outside_lacks(system: System, secrets: Iterable[str], config_maps: Iterable[str]) -> bool:
    """Tell whether a referenced Secret or ConfigMap is not there, so that its digest is unknown."""
    observed = system.observed
    return not (
        _foreign(system, secrets) <= observed.secrets.keys()
        and set(config_maps) <= observed.config_maps
    )


def _foreign(system: System, secrets: Iterable[str]) -> set[str]:
    # A generated password lives as long as its volume: nothing rolls when it appears.
    return set(secrets) - generated_secrets(system.owner, system.spec)
