"""What components share: configuration files, volumes, the network."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from trading_operator.api.common import (
    KEY_PATTERN,
    Model,
    Name,
    ObjectName,
    Port,
    Quantity,
    rule,
    rules,
)

FileName = Annotated[str, Field(pattern=KEY_PATTERN, min_length=1, max_length=253)]


class ConfigBundle(Model):
    """A set of configuration files under one name."""

    name: Name = Field(description="Name that services and datastores refer to.")
    files: dict[FileName, Annotated[str, Field(max_length=262144)]] | None = Field(
        None,
        max_length=64,
        description="File contents by file name. A change rolls the pods that mount it.",
    )
    config_map_ref: ObjectName | None = Field(
        None,
        description="Name of a ConfigMap in the system's namespace that holds the files instead.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.files) != has(self.configMapRef)",
                "a config has either files or configMapRef, not both and not neither",
            )
        )
    )


class AccessMode(StrEnum):
    """Who may mount a volume at the same time."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"
    READ_WRITE_MANY = "ReadWriteMany"
    READ_ONLY_MANY = "ReadOnlyMany"


class SharedVolume(Model):
    """A volume that services share; never deleted by the operator."""

    name: Name = Field(description="Name that services refer to.")
    size: Quantity = Field(description="Size of the volume in bytes, e.g. 5Gi.")
    access_mode: AccessMode = Field(
        AccessMode.READ_WRITE_MANY,
        description="ReadWriteMany (pods on many nodes), ReadWriteOnce (its users are kept on one "
        "node), ReadWriteOncePod (one pod) or ReadOnlyMany (pods on many nodes, nobody writes). "
        "Default: ReadWriteMany.",
    )
    storage_class_name: ObjectName | None = Field(
        None, description="StorageClass of the volume. Default: the cluster's default class."
    )


class Isolation(StrEnum):
    """Whether NetworkPolicies are made."""

    ENFORCED = "Enforced"
    OFF = "Off"


class Network(Model):
    """Which connections to and from the system's pods are allowed."""

    isolation: Isolation = Field(
        Isolation.ENFORCED,
        description="Enforced: only the edges of dependsOn, name resolution, declared egress and "
        "scraping are allowed (needs a network plugin that enforces NetworkPolicy). "
        "Off: no NetworkPolicy is made. Default: Enforced.",
    )
    monitoring_namespaces: list[ObjectName] = Field(
        default_factory=list,
        max_length=8,
        description="Namespaces whose pods may reach every service's ports, e.g. to scrape "
        "metrics.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    ingress_namespaces: list[ObjectName] = Field(
        default_factory=list,
        max_length=8,
        description="Namespaces of the ingress controllers: only their pods may reach the port of "
        "a service that has an `ingress`. Default: everybody may, because a controller on the "
        "node's own network comes from no namespace.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class Egress(Model):
    """A destination outside the system that a service may reach."""

    cidr: Annotated[
        str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", min_length=4, max_length=49)
    ] = Field(
        description="Address range, e.g. 203.0.113.0/24, or 0.0.0.0/0 for the Internet. A range "
        "that is wider than the link-local addresses leaves them out, the cloud's instance "
        "metadata among them; name 169.254.169.254/32 to reach it.",
        json_schema_extra=rules(
            rule(
                "isCIDR(self) && cidr(self).masked() == cidr(self)",
                "write an address range without bits beyond its prefix, e.g. 203.0.113.0/24",
            )
        ),
    )
    ports: list[Port] = Field(
        min_length=1, max_length=16, description="TCP ports that may be reached there."
    )
