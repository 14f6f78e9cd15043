"""What the operator is told by its environment (variables TRADING_OPERATOR_*)."""

import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from trading_operator import __version__
from trading_operator.kube.service_account import FOLDER


class Settings(BaseSettings):
    """Every value has a default that serves outside of a cluster; the chart sets the rest."""

    model_config = SettingsConfigDict(env_prefix="TRADING_OPERATOR_", frozen=True)

    namespace: str = Field("", description="Own namespace in a cluster; empty outside of one.")
    pod_name: str = Field(default_factory=socket.gethostname, description="Name of this replica.")
    service_account: Path = Field(
        FOLDER, description="Folder of the pod's token and the API server's authority."
    )
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Namespaces that are served, comma separated; empty means all."
    )
    lease_name: str = Field("trading-operator", description="Name of the election's Lease.")
    lease_seconds: float = Field(15, ge=3, description="How long a Lease is valid.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    port: int = Field(8080, ge=0, le=65535, description="Port of /livez, /readyz, /metrics.")
    concurrency: int = Field(16, ge=1, le=256, description="Systems that are served at once.")
    requests: int = Field(24, ge=1, le=256, description="API requests in flight at once.")
    name_servers: Literal["Cluster", "Any"] = Field(
        "Cluster",
        description="Which name servers the systems' pods may ask: the cluster's, or any address.",
    )
    name_server_namespace: str = Field(
        "kube-system", description="Namespace of the cluster's name servers."
    )
    name_server_labels: Annotated[dict[str, str], NoDecode] = Field(
        {"k8s-app": "kube-dns"},
        description="Labels of their pods, comma separated, each as name=value.",
    )
    name_server_ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode] = (
        Field((53, 5353), min_length=1, description="Ports they listen on, comma separated.")
    )
    image_postgresql: str | None = Field(None, description="Image of PostgreSQL datastores.")
    image_timescaledb: str | None = Field(None, description="Image of TimescaleDB datastores.")
    image_redis: str | None = Field(None, description="Image of Redis datastores.")
    image_backup: str = Field(
        f"trading-backup:{__version__}",
        description="Image of the program in the Jobs of Backups.",
    )
    image_training: str = Field(
        f"autonomous_trading_system/model-training:{__version__}",
        description="Image of the trainer LightGBM in the Jobs of ModelTrainingJobs.",
    )
    image_training_sequence: str = Field(
        f"autonomous_trading_system/model-training-torch:{__version__}",
        description="Image of the trainer Sequence in the Jobs of ModelTrainingJobs.",
    )

    @property
    def lease_namespace(self) -> str:
        """Return the namespace of the Lease."""
        return self.namespace or "default"

    @field_validator("name_server_labels", mode="before")
    @classmethod
    def _split_labels(cls, value: object) -> object:
        if isinstance(value, str):
            pairs = (part.partition("=") for part in value.split(",") if part.strip())
            return {name.strip(): label.strip() for name, _, label in pairs}
        return value

    @field_validator("watch_namespaces", "name_server_ports", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value
