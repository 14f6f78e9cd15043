"""The resource types that the operator reads and writes, and their paths."""

from dataclasses import dataclass

from trading_operator.api.common import API_VERSION
from trading_operator.api.trading_system import KIND, PLURAL


@dataclass(frozen=True)
class Resource:
    """One type of the API."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool = True

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Build the path of an object, or of a list; namespace None means all of them."""
        root = "api" if "/" not in self.api_version else "apis"
        parts = ["", root, self.api_version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)


CONFIG_MAPS = Resource("ConfigMap", "v1", "configmaps")
SECRETS = Resource("Secret", "v1", "secrets")
SERVICES = Resource("Service", "v1", "services")
CLAIMS = Resource("PersistentVolumeClaim", "v1", "persistentvolumeclaims")
PODS = Resource("Pod", "v1", "pods")
DEPLOYMENTS = Resource("Deployment", "apps/v1", "deployments")
STATEFUL_SETS = Resource("StatefulSet", "apps/v1", "statefulsets")
NETWORK_POLICIES = Resource("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
STORAGE_CLASSES = Resource("StorageClass", "storage.k8s.io/v1", "storageclasses", namespaced=False)
LEASES = Resource("Lease", "coordination.k8s.io/v1", "leases")
EVENTS = Resource("Event", "events.k8s.io/v1", "events")
TRADING_SYSTEMS = Resource(KIND, API_VERSION, PLURAL)

CHILDREN = (
    CONFIG_MAPS,
    SERVICES,
    CLAIMS,
    NETWORK_POLICIES,
    STATEFUL_SETS,
    DEPLOYMENTS,
)
BY_KIND = {resource.kind: resource for resource in (*CHILDREN, SECRETS)}
