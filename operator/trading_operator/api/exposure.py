"""How people and programs from outside the system reach a service."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from trading_operator.api.common import (
    DOMAIN_PATTERN,
    GROUP,
    KEYED_PATTERN,
    Duration,
    Model,
    ObjectName,
    RoutePath,
    rule,
    rules,
)

Cidr = Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", min_length=4, max_length=49)]
AnnotationKey = Annotated[str, Field(pattern=KEYED_PATTERN, max_length=128)]
AnnotationValue = Annotated[str, Field(max_length=1024)]
HostName = Annotated[
    str, Field(pattern=rf"^(\*\.)?{DOMAIN_PATTERN}$", min_length=1, max_length=253)
]
PortName = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=15)]
ClassName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9./]*[a-z0-9])?$", min_length=1, max_length=253)
]


# The operator decides by its own annotations what it writes.
_NOT_OURS = rules(
    rule(
        f"self.all(key, !key.startsWith('{GROUP}/'))",
        f"annotations of {GROUP} are the operator's own: remove them",
    )
)


class ServiceType(StrEnum):
    """From where a Service is reached."""

    CLUSTER_IP = "ClusterIP"
    LOAD_BALANCER = "LoadBalancer"


class SessionAffinity(StrEnum):
    """Whether one client always reaches the same pod."""

    NONE = "None"
    CLIENT_IP = "ClientIP"


class TrafficPolicy(StrEnum):
    """Over which nodes traffic from outside comes."""

    CLUSTER = "Cluster"
    LOCAL = "Local"


class Exposure(Model):
    """How a service's Service is reached."""

    type: ServiceType = Field(
        ServiceType.CLUSTER_IP,
        description="ClusterIP (from within the cluster) or LoadBalancer (from outside, over a "
        "load balancer of the cluster's provider). Default: ClusterIP.",
    )
    session_affinity: SessionAffinity = Field(
        SessionAffinity.NONE,
        description="ClientIP: a client's connections always reach the same pod, for programs "
        "that keep a session in memory. Default: None.",
    )
    session_affinity_timeout: Duration | None = Field(
        None,
        description="How long a client without a connection is remembered, at most 24h. "
        "Default: 3h.",
    )
    load_balancer_source_ranges: list[Cidr] = Field(
        default_factory=list,
        max_length=32,
        description="Address ranges that the load balancer lets in. Default: all.",
    )
    load_balancer_class: ClassName | None = Field(
        None,
        description="Which load balancer serves it; cannot change while the type is LoadBalancer. "
        "Default: the cluster's own.",
    )
    external_traffic_policy: TrafficPolicy = Field(
        TrafficPolicy.CLUSTER,
        description="Local keeps the client's address and uses only nodes that have a pod; "
        "Cluster uses all nodes. Default: Cluster.",
    )
    annotations: dict[AnnotationKey, AnnotationValue] = Field(
        default_factory=dict,
        max_length=16,
        description="Annotations of the Service, by which cloud load balancers are set up.",
        json_schema_extra=_NOT_OURS,
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.sessionAffinityTimeout) || "
                "(has(self.sessionAffinity) && self.sessionAffinity == 'ClientIP')",
                "sessionAffinityTimeout needs sessionAffinity: ClientIP",
                fieldPath=".sessionAffinityTimeout",
            ),
            rule(
                "(has(self.type) && self.type == 'LoadBalancer') || "
                "(!has(self.loadBalancerSourceRanges) && !has(self.loadBalancerClass) && "
                "!has(self.externalTrafficPolicy))",
                "loadBalancerSourceRanges, loadBalancerClass and externalTrafficPolicy need "
                "type: LoadBalancer",
                fieldPath=".type",
            ),
            rule(
                "!has(self.type) || self.type != 'LoadBalancer' || !has(oldSelf.type) || "
                "oldSelf.type != 'LoadBalancer' || "
                "(has(self.loadBalancerClass) ? self.loadBalancerClass : '') == "
                "(has(oldSelf.loadBalancerClass) ? oldSelf.loadBalancerClass : '')",
                "loadBalancerClass cannot change while the type is LoadBalancer: set it back, or "
                "remove exposure first and add it again once the Service has changed",
                fieldPath=".loadBalancerClass",
            ),
        )
    )


class IngressHost(Model):
    """A host name, and which of its paths lead to the service."""

    host: HostName = Field(description="Host name, e.g. dashboard.example.com or *.example.com.")
    paths: list[RoutePath] = Field(
        default_factory=lambda: ["/"],
        min_length=1,
        max_length=8,
        description="Path prefixes that lead to the service. Default: all paths.",
    )


class Ingress(Model):
    """HTTP from outside the cluster, by host name."""

    class_name: ObjectName | None = Field(
        None, description="IngressClass that serves it. Default: the cluster's default class."
    )
    hosts: list[IngressHost] = Field(
        min_length=1,
        max_length=8,
        description="Host names and their paths.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["host"],
        },
    )
    port: PortName | None = Field(
        None, description="Name of the port that is reached. Default: the first port."
    )
    tls_secret_name: ObjectName | None = Field(
        None,
        description="Secret with the certificate (tls.crt, tls.key) of all hosts; a certificate "
        "manager may make it. Default: no TLS.",
    )
    annotations: dict[AnnotationKey, AnnotationValue] = Field(
        default_factory=dict,
        max_length=16,
        description="Annotations of the Ingress, by which controllers and certificate managers "
        "are set up.",
        json_schema_extra=_NOT_OURS,
    )
