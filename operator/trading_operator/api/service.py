"""Service: one program of a trading system."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from trading_operator.api.autoscaling import MOST_PODS, Autoscaling
from trading_operator.api.common import (
    AbsolutePath,
    Argument,
    Dependency,
    Duration,
    Folder,
    Image,
    Model,
    Name,
    Port,
    Resources,
    SecretKeyReference,
    ServiceName,
    map_list,
    rule,
    rules,
)
from trading_operator.api.exposure import Exposure, Ingress, PortName
from trading_operator.api.scheduling import DisruptionBudget, Scheduling
from trading_operator.api.sharing import Egress

VariableName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", min_length=1, max_length=253)
]


class Expose(StrEnum):
    """How a Secret's value reaches the program."""

    FILE = "File"
    VARIABLE = "Variable"


class EnvironmentVariable(Model):
    """One environment variable, or one Secret's value as a file that a variable names."""

    name: VariableName = Field(description="Name of the variable.")
    value: Annotated[str, Field(max_length=32768)] | None = Field(
        None, description="Value of the variable."
    )
    secret_key_ref: SecretKeyReference | None = Field(
        None, description="Where the value comes from instead, when it is secret."
    )
    expose: Expose = Field(
        Expose.FILE,
        description="File mounts the secret value and sets <name>_FILE to its path; Variable "
        "sets <name> itself, for programs that read nothing else. Default: File.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.value) != has(self.secretKeyRef)",
                "a variable has either value or secretKeyRef, not both and not neither",
            )
        )
    )


class ContainerPort(Model):
    """A port that the program listens on; the component's Service has the same."""

    name: PortName = Field(description="Name of the port, e.g. http.")
    port: Port = Field(description="Number of the port.")
    service_port: Port | None = Field(
        None, description="Number of the port on the Service, e.g. 80. Default: the same."
    )


class HealthCheck(Model):
    """How health is asked for: exactly one of path, tcp and command."""

    path: AbsolutePath | None = Field(
        None, description="HTTP path that answers 200 to 399 when healthy."
    )
    command: list[Argument] | None = Field(
        None, max_length=32, description="Command in the container that exits 0 when healthy."
    )
    port: PortName | None = Field(
        None,
        description="Name of the port for `path`; without `path` and `command` a connection to "
        "it counts as healthy. Default: the first port.",
    )
    period: Duration = Field("5s", description="Time between two checks. Default: 5s.")
    timeout: Duration = Field("3s", description="When a check counts as failed. Default: 3s.")
    failure_threshold: int = Field(
        3, ge=1, le=100, description="Failures in a row that count. Default: 3."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!(has(self.path) && has(self.command))",
                "a health check has either path or command, not both",
            )
        )
    )


class ConfigMount(Model):
    """A config that the service sees as files."""

    name: Name = Field(description="Name of the config.")
    mount_path: Folder = Field(description="Folder in which its files appear, read-only.")


class VolumeMount(Model):
    """A shared volume that the service sees."""

    name: Name = Field(description="Name of the volume.")
    mount_path: Folder = Field(description="Folder at which it appears.")
    read_only: bool = Field(False, description="Whether it may only be read. Default: false.")


class Gpu(Model):
    """Devices that the service needs."""

    count: int = Field(1, ge=1, le=64, description="Number of devices. Default: 1.")
    resource: Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-zA-Z0-9._-]+$", max_length=253)] = (
        Field("nvidia.com/gpu", description="Extended resource. Default: nvidia.com/gpu.")
    )


class WorkloadType(StrEnum):
    """How the service's pods are run."""

    REPLICATED = "Replicated"
    SINGLE_WRITER = "SingleWriter"


class Service(Model):
    """One program: a Deployment (or a one-pod StatefulSet) with its Service."""

    name: Name = Field(description="Name of the component; its Service is <system>-<name>.")
    image: Image = Field(description="Image with a fixed tag or digest.")
    image_pull_policy: (
        Annotated[str, Field(pattern="^(Always|IfNotPresent|Never)$", max_length=16)] | None
    ) = Field(None, description="Always, IfNotPresent or Never. Default: as Kubernetes decides.")
    command: list[Argument] = Field(
        default_factory=list,
        max_length=64,
        description="Program and arguments. Default: the image's own.",
    )
    args: list[Argument] = Field(
        default_factory=list,
        max_length=64,
        description="Arguments. Default: the image's own.",
    )
    workload: WorkloadType = Field(
        WorkloadType.REPLICATED,
        description="Replicated: any number of pods, replaced one by one. SingleWriter: one pod, "
        "and never two at the same time, for programs that send orders. Default: Replicated.",
    )
    replicas: int = Field(1, ge=0, le=MOST_PODS, description="Number of pods. Default: 1.")
    autoscaling: Autoscaling | None = Field(
        None,
        description="As many pods as the load asks for, instead of `replicas`. Not for "
        "SingleWriter.",
    )
    disruption_budget: DisruptionBudget | None = Field(
        None,
        description="How many pods a node drain leaves or takes at once. Default: one pod at a "
        "time where there may be several, unless a ReadWriteOnce volume keeps them on one node.",
    )
    scheduling: Scheduling = Field(
        default_factory=Scheduling, description="On which nodes the pods run."
    )
    ports: list[ContainerPort] = Field(
        default_factory=list,
        max_length=16,
        description="Ports that the program listens on.",
        json_schema_extra=map_list(),
    )
    service_name: ServiceName | None = Field(
        None, description="Fixed name of the Service. Default: <system>-<name>."
    )
    exposure: Exposure = Field(
        default_factory=Exposure,
        description="From where the Service is reached. Default: from within the cluster.",
    )
    ingress: Ingress | None = Field(
        None, description="HTTP from outside the cluster, by host name. Default: none."
    )
    health: HealthCheck | None = Field(
        None,
        description="When the service counts as Ready and gets traffic. Without it a running "
        "program counts as Ready.",
    )
    liveness: HealthCheck | None = Field(
        None,
        description="When the program counts as hung and is restarted. It must not ask "
        "dependencies. Default: never.",
    )
    startup_deadline: Duration = Field(
        "5m",
        description="How long `health` and `liveness` may fail after a start. Default: 5m for "
        "`liveness`; for the `health` of a change what its own period and failureThreshold allow.",
    )
    env: list[EnvironmentVariable] = Field(
        default_factory=list,
        max_length=128,
        description="Environment of the program. Dependencies add <NAME>_HOST, <NAME>_PORT and "
        "<NAME>_URL by themselves.",
        json_schema_extra=map_list(),
    )
    configs: list[ConfigMount] = Field(
        default_factory=list,
        max_length=16,
        description="Configs that the service sees as files.",
        json_schema_extra=map_list(),
    )
    volumes: list[VolumeMount] = Field(
        default_factory=list,
        max_length=16,
        description="Shared volumes that the service sees.",
        json_schema_extra=map_list(),
    )
    writable_paths: list[Folder] = Field(
        default_factory=list,
        max_length=16,
        description="Folders with scratch space. Everything else but /tmp and the volumes is "
        "read-only.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    resources: Resources = Field(
        default_factory=Resources, description="Compute resources of each pod."
    )
    gpu: Gpu | None = Field(None, description="Devices that each pod needs.")
    run_as_user: Annotated[int, Field(ge=1, le=2147483647)] = Field(
        1000, description="User id of the program; never root. Default: 1000."
    )
    run_as_group: Annotated[int, Field(ge=1, le=2147483647)] = Field(
        1000, description="Group id of the program and its volumes. Default: 1000."
    )
    termination_grace_period: Duration = Field(
        "30s", description="How long the program may take to stop. Default: 30s."
    )
    egress: list[Egress] = Field(
        default_factory=list,
        max_length=16,
        description="Destinations outside the system that the service may reach.",
    )
    depends_on: list[Dependency] = Field(
        default_factory=list,
        max_length=32,
        description="Components that this one needs.",
        json_schema_extra=map_list(),
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.dependsOn) || self.dependsOn.all(d, d.name != self.name)",
                "a component cannot depend on itself",
                fieldPath=".dependsOn",
            ),
            rule(
                "!has(self.workload) || self.workload != 'SingleWriter' || "
                "!has(self.replicas) || self.replicas <= 1",
                "a SingleWriter service has one pod: remove replicas or set it to 1",
                fieldPath=".replicas",
            ),
            rule(
                "!has(self.autoscaling) || !has(self.replicas)",
                "autoscaling decides how many pods there are: remove replicas",
                fieldPath=".replicas",
            ),
            rule(
                "!has(self.autoscaling) || !has(self.workload) || self.workload != 'SingleWriter'",
                "a SingleWriter service has one pod: remove autoscaling",
                fieldPath=".autoscaling",
            ),
            rule(
                "!has(self.health) || has(self.health.command) || "
                "(has(self.ports) && size(self.ports) > 0)",
                "health needs a port: declare one under ports or use health.command",
                fieldPath=".health",
            ),
            rule(
                "!has(self.health) || !has(self.health.port) || "
                "(has(self.ports) && self.ports.exists(p, p.name == self.health.port))",
                "health.port names a port that ports does not have",
                fieldPath=".health.port",
            ),
            rule(
                "!has(self.liveness) || has(self.liveness.command) || "
                "(has(self.ports) && (!has(self.liveness.port) || "
                "self.ports.exists(p, p.name == self.liveness.port)))",
                "liveness needs a port that ports has, or liveness.command",
                fieldPath=".liveness",
            ),
        )
    )
