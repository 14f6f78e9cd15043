"""Where components answer."""

from trading_operator.api.datastore import Datastore
from trading_operator.api.errors import InvalidSpecError
from trading_operator.api.service import Service
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.engines import ENGINES
from trading_operator.engines.base import Endpoint
from trading_operator.manifests.metadata import Owner, child_name
from trading_operator.plan.graph import component_paths


def service_name(owner: Owner, component: Datastore | Service) -> str:
    """Return the name of the component's Service."""
    return component.service_name or child_name(owner, component.name)


def refuse_shared_names(owner: Owner, spec: TradingSystemSpec) -> None:
    """Raise InvalidSpecError when two components would have one Service."""
    paths = component_paths(spec)
    taken: dict[str, str] = {}
    for component in spec.components:
        name = service_name(owner, component)
        other = taken.setdefault(name, component.name)
        if other != component.name:
            raise InvalidSpecError(
                f"{paths[component.name]}.serviceName",
                f"{other} has the Service {name} already",
                "give one of them another serviceName",
            )


def service_ports(service: Service) -> dict[str, int]:
    """Return the numbers of the Service's ports by name."""
    return {port.name: port.service_port or port.port for port in service.ports}


def endpoint_of(owner: Owner, component: Datastore | Service) -> Endpoint | None:
    """Return where dependants reach the component; None when it has no port."""
    if isinstance(component, Datastore):
        port = component.port or ENGINES[component.engine].port
        return Endpoint(service_name(owner, component), port)
    if not component.ports:
        return None
    return Endpoint(service_name(owner, component), next(iter(service_ports(component).values())))
