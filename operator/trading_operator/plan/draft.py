"""A component as the spec wants it, before it is decided whether its turn has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from trading_operator.api.common import Dependency
from trading_operator.api.datastore import Datastore
from trading_operator.api.service import Service
from trading_operator.api.trading_system import TradingSystemSpec
from trading_operator.engines.base import OperandSettings, SecretRequest
from trading_operator.manifests.metadata import Manifest, Owner, Part
from trading_operator.plan.observed import Observed, Ref, ref_of
from trading_operator.plan.types import Finding

DATASTORE = "Datastore"
SERVICE = "Service"


@dataclass(frozen=True)
class System:
    """One trading system with all that a plan may look at."""

    owner: Owner
    spec: TradingSystemSpec
    observed: Observed
    operand: OperandSettings

    @property
    def components(self) -> Mapping[str, Datastore | Service]:
        """Return the components by name, datastores first."""
        return {part.name: part for part in self.spec.components}


@dataclass(frozen=True)
class SecretNeed:
    """One key of a Secret without which a component cannot run, and who asks for it."""

    name: str
    key: str
    path: str


@dataclass(frozen=True)
class Needs:
    """What must be there before a component's pods can start."""

    secrets: tuple[SecretNeed, ...] = ()
    optional_secrets: Mapping[str, str] = field(default_factory=dict)  # name -> path of who asks
    config_maps: Mapping[str, str] = field(default_factory=dict)  # name -> path of who asks
    storage_classes: Mapping[str, str] = field(default_factory=dict)  # name -> path of who asks


@dataclass(frozen=True)
class Draft:
    """The objects of one component, and what they depend on."""

    part: Part
    kind: str  # Datastore | Service
    path: str  # of the component in the spec
    dependencies: tuple[Dependency, ...]
    workload: Manifest
    revision: str
    ports: Mapping[str, int] = field(default_factory=dict)  # of the pods
    service: Manifest | None = None
    extras: tuple[Manifest, ...] = ()  # autoscaler, disruption budget, ingress
    least: int | None = None  # fewest pods of an autoscaled service
    configs: tuple[Manifest, ...] = ()
    claim: Manifest | None = None  # of a datastore's volume
    secret: SecretRequest | None = None
    needs: Needs = field(default_factory=Needs)
    findings: tuple[Finding, ...] = ()
    start_patience: timedelta | None = None  # how long it says that its start may take

    @property
    def name(self) -> str:
        """Return the component's name."""
        return self.part.component

    @property
    def ref(self) -> Ref:
        """Return the reference of the workload."""
        return ref_of(self.workload)

    @property
    def desired(self) -> int:
        """Return how many pods should be ready."""
        planned = int(self.workload["spec"]["replicas"])
        return max(planned, self.least) if planned and self.least is not None else planned

    @property
    def asked(self) -> int:
        """Return how many pods the spec asks for, whatever an autoscaler makes of it."""
        return self.desired if self.least is None else self.least

    @property
    def objects(self) -> tuple[Manifest, ...]:
        """Return what is written when the component's turn has come, the workload last."""
        services = () if self.service is None else (self.service,)
        claims = () if self.claim is None else (self.claim,)
        return (*self.configs, *claims, *services, *self.extras, self.workload)
