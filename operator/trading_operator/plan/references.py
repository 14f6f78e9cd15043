"""What the spec names that the operator must read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trading_operator.api.datastore import Datastore
from trading_operator.api.service import EnvironmentVariable
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.manifests.metadata import Owner, child_name
from trading_operator.plan.observed import Ref
from trading_operator.plan.types import STATEFUL_SET


@dataclass(frozen=True)
class References:
    """Names of Secrets and ConfigMaps in the system's namespace.

    `openers` maps each Secret that opens a datastore's volume to the datastore's workload.
    """

    secrets: frozenset[str]
    config_maps: frozenset[str]
    openers: Mapping[str, Ref]

    def union(self, other: "References") -> "References":
        """Return the names that one of both has; of one Secret the first opener counts."""
        return References(
            self.secrets | other.secrets,
            self.config_maps | other.config_maps,
            {**other.openers, **self.openers},
        )


def credentials_name(owner: Owner, store: Datastore) -> str:
    """Return the name of the Secret with the datastore's password."""
    if store.credentials is not None:
        return store.credentials.secret_name
    return child_name(owner, f"{store.name}-credentials")


def password_key(store: Datastore) -> str:
    """Return the key that holds the datastore's password."""
    return "password" if store.credentials is None else store.credentials.password_key


def generated_secrets(owner: Owner, spec: TradingSystemSpec) -> frozenset[str]:
    """Return the names of the Secrets that the operator makes itself."""
    stores = (store for store in spec.datastores if store.credentials is None)
    return frozenset(credentials_name(owner, store) for store in stores)


def references(owner: Owner, spec: TradingSystemSpec) -> References:
    """Return every Secret and ConfigMap that a plan looks at, generated Secrets included."""
    openers = {
        credentials_name(owner, store): Ref(STATEFUL_SET, child_name(owner, store.name))
        for store in spec.datastores
    }
    variables = (
        variable.secret_key_ref.name
        for variable in _variables(spec)
        if variable.secret_key_ref is not None
    )
    certificates = (
        service.ingress.tls_secret_name
        for service in spec.services
        if service.ingress is not None and service.ingress.tls_secret_name is not None
    )
    config_maps = (
        config.config_map_ref for config in spec.configs if config.config_map_ref is not None
    )
    return References(
        frozenset((*openers, *variables, *certificates)), frozenset(config_maps), openers
    )


def _variables(spec: TradingSystemSpec) -> Iterator[EnvironmentVariable]:
    yield from spec.env
    for service in spec.services:
        yield from service.env
