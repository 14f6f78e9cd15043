"""Where components answer."""

from trading_operator.api.datastore import Datastore
from trading_operator.api.service import Service
from trading_operator.engines import ENGINES
from trading_operator.engines.base import Endpoint
from trading_operator.manifests.metadata import Owner, child_name


def service_name(owner: Owner, component: Datastore | Service) -> str:
    """Return the name of the component's Service."""
    return component.service_name or child_name(owner, component.name)


def endpoint_of(owner: Owner, component: Datastore | Service) -> Endpoint | None:
    """Return where dependants reach the component; None when it has no port."""
    if isinstance(component, Datastore):
        port = component.port or ENGINES[component.engine].port
        return Endpoint(service_name(owner, component), port)
    if not component.ports:
        return None
    return Endpoint(service_name(owner, component), component.ports[0].port)
