"""What of a spec decides a component's pods, as one digest.

It must stay what it is from one version of the operator to the next: pods are left alone for as
long as it does. So it is made of what the spec says, never of defaults or of what is rendered, and
a later version may add to it only what a spec of today does not set.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from trading_operator.api.common import Dependency, Model
from trading_operator.api.datastore import Datastore
from trading_operator.api.service import EnvironmentVariable, Service
from trading_operator.manifests.digest import digest_of
from trading_operator.plan.draft import System
from trading_operator.plan.outside import outside_digests, outside_lacks
from trading_operator.plan.placing import node_group

# Fields of a component that decide other objects than its pods, or how many pods there are.
DATASTORE_BESIDES = frozenset(
    {"depends_on", "storage", "port", "service_name", "disruption_budget"}
)
SERVICE_BESIDES = frozenset(
    {
        "depends_on",  # handed on below, by what of a dependency a pod is told
        "configs",
        "env",
        "replicas",
        "autoscaling",
        "disruption_budget",
        "service_name",
        "exposure",
        "ingress",
        "egress",
        "ports",
    }
)
# What a dependant is told of a datastore: where it is, and who opens it.
_ADDRESS = frozenset({"engine", "port", "service_name", "database", "username", "credentials"})


class Outside(NamedTuple):
    """What a component's pods read and the operator did not write, by name."""

    secrets: tuple[str, ...]
    config_maps: tuple[str, ...]


def component_inputs(system: System, component: Datastore | Service) -> str:
    """Return the digest of what decides a component's pods."""
    outside = dict(outside_digests(system, *_outside(system, component)))
    return digest_of(_present({**_asked(system, component), "outside": outside}))


def asked_inputs(system: System, component: Datastore | Service) -> str:
    """Return the digest of what the spec alone says about a component's pods."""
    return digest_of(_present(_asked(system, component)))


def lacks_inputs(system: System, component: Datastore | Service) -> bool:
    """Tell whether what a component's pods read is away, so that nobody knows its digest."""
    return outside_lacks(system, *_outside(system, component))


def _asked(system: System, component: Datastore | Service) -> dict[str, Any]:
    if isinstance(component, Datastore):
        return _datastore_inputs(system, component)
    return _service_inputs(system, component)


def _present(inputs: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not there, so that a field that nobody uses changes no digest."""
    return {name: value for name, value in inputs.items() if value not in (None, [], {}, "")}


def _datastore_inputs(system: System, store: Datastore) -> dict[str, Any]:
    configs = [] if store.init_scripts is None else [store.init_scripts.config]
    return {
        "component": _dump(store, DATASTORE_BESIDES),
        "imagePullSecrets": list(system.spec.image_pull_secrets),
        "configs": dict(_configs(system, configs)),
    }


def _service_inputs(system: System, service: Service) -> dict[str, Any]:
    variables = [*system.spec.env, *service.env]
    configs = [mount.name for mount in service.configs]
    return {
        "component": _dump(service, SERVICE_BESIDES),
        "mode": system.spec.mode.value,
        "imagePullSecrets": list(system.spec.image_pull_secrets),
        "env": [_dump(variable) for variable in variables],
        "ports": [[port.name, port.port] for port in service.ports],
        "mounts": [[mount.name, mount.mount_path] for mount in service.configs],
        "configs": dict(_configs(system, configs)),
        "sameNode": node_group(system.spec, service),
        "dependencies": {each.name: _edge(system, each) for each in service.depends_on},
    }


def _dump(model: Model, besides: frozenset[str] = frozenset()) -> dict[str, Any]:
    # What the author left open is left open here: another version may have another default.
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=set(besides))


def _edge(system: System, dependency: Dependency) -> dict[str, Any]:
    """Return what the pods of a dependant are told of a dependency."""
    component = system.components[dependency.name]
    if isinstance(component, Datastore):
        told = component.model_dump(
            mode="json", by_alias=True, exclude_unset=True, include=set(_ADDRESS)
        )
        return {**told, "required": dependency.required}
    first = next(iter(component.ports), None)
    port = None if first is None else first.service_port or first.port
    return _present({"serviceName": component.service_name, "port": port})


def _configs(system: System, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    wanted = set(names)
    for bundle in system.spec.configs:
        if bundle.name in wanted:
            yield bundle.name, bundle.config_map_ref or digest_of(bundle.files or {})


def _secrets(variables: Iterable[EnvironmentVariable]) -> Iterator[str]:
    for variable in variables:
        if variable.secret_key_ref is not None:
            yield variable.secret_key_ref.name


def _credentials(system: System, dependencies: Iterable[Dependency]) -> Iterator[str]:
    for dependency in dependencies:
        component = system.components[dependency.name]
        if isinstance(component, Datastore) and component.credentials is not None:
            yield component.credentials.secret_name


def _outside(system: System, component: Datastore | Service) -> Outside:
    if isinstance(component, Datastore):
        secrets = [] if component.credentials is None else [component.credentials.secret_name]
        configs = set() if component.init_scripts is None else {component.init_scripts.config}
    else:
        variables = (*system.spec.env, *component.env)
        secrets = [*_secrets(variables), *_credentials(system, component.depends_on)]
        configs = {mount.name for mount in component.configs}
    config_maps = (
        bundle.config_map_ref
        for bundle in system.spec.configs
        if bundle.name in configs and bundle.config_map_ref is not None
    )
    return Outside(tuple(secrets), tuple(config_maps))
