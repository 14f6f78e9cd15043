"""The resource types that the operator reads and writes, and their paths."""

from dataclasses import dataclass

from trading_operator.api import backup, model_training_job, restore, trading_system
from trading_operator.api.common import API_VERSION
from trading_operator.manifests.controller_revision import KIND as REVISION_KIND
from trading_operator.manifests.metadata import COMPONENT, MANAGED_BY_SELECTOR


@dataclass(frozen=True)
class Resource:
    """One type of the API."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool = True
    selector: str = MANAGED_BY_SELECTOR  # by label, of the objects that are watched
    fields: str = ""  # likewise by field

    @property
    def selectors(self) -> dict[str, str]:
        """Return the parameters that choose the objects that are watched."""
        chosen = {"labelSelector": self.selector, "fieldSelector": self.fields}
        return {name: selector for name, selector in chosen.items() if selector}

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
CRON_JOBS = Resource("CronJob", "batch/v1", "cronjobs")
JOBS = Resource("Job", "batch/v1", "jobs")
DEPLOYMENTS = Resource("Deployment", "apps/v1", "deployments")
STATEFUL_SETS = Resource("StatefulSet", "apps/v1", "statefulsets")
NETWORK_POLICIES = Resource("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
INGRESSES = Resource("Ingress", "networking.k8s.io/v1", "ingresses")
AUTOSCALERS = Resource("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers")
DISRUPTION_BUDGETS = Resource("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets")
# Those of StatefulSets carry the component of their pods' template.
REVISIONS = Resource(
    REVISION_KIND,
    "apps/v1",
    "controllerrevisions",
    selector=f"{MANAGED_BY_SELECTOR},!{COMPONENT}",
)
STORAGE_CLASSES = Resource("StorageClass", "storage.k8s.io/v1", "storageclasses", namespaced=False)
NAMESPACES = Resource("Namespace", "v1", "namespaces", namespaced=False)
RESOURCE_QUOTAS = Resource("ResourceQuota", "v1", "resourcequotas")
NODES = Resource("Node", "v1", "nodes", namespaced=False)
LEASES = Resource("Lease", "coordination.k8s.io/v1", "leases")
EVENTS = Resource("Event", "events.k8s.io/v1", "events")
# What kubelets say of pods: of the core group, whose Events count how often they happened.
POD_EVENTS = Resource("Event", "v1", "events", selector="", fields="reason=Unhealthy")
TRADING_SYSTEMS = Resource(trading_system.KIND, API_VERSION, trading_system.PLURAL)
BACKUPS = Resource(backup.KIND, API_VERSION, backup.PLURAL)
RESTORES = Resource(restore.KIND, API_VERSION, restore.PLURAL)
MODEL_TRAINING_JOBS = Resource(model_training_job.KIND, API_VERSION, model_training_job.PLURAL)

CHILDREN = (
    CONFIG_MAPS,
    SERVICES,
    CLAIMS,
    NETWORK_POLICIES,
    INGRESSES,
    AUTOSCALERS,
    DISRUPTION_BUDGETS,
    REVISIONS,
    STATEFUL_SETS,
    DEPLOYMENTS,
    CRON_JOBS,
    JOBS,
)
# A role from before Backups may not watch these: trading systems are served all the same.
OPTIONAL = frozenset({CRON_JOBS, JOBS})
BY_KIND = {resource.kind: resource for resource in (*CHILDREN, SECRETS)}
# What people write and the operator answers to.
OWN = (TRADING_SYSTEMS, BACKUPS, RESTORES, MODEL_TRAINING_JOBS)
OWN_BY_KIND = {resource.kind: resource for resource in OWN}
