"""What every database engine tells the operator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from trading_operator.api.backup_parts import Method
from trading_operator.api.datastore import Datastore, EngineName
from trading_operator.api.errors import InvalidSpecError
from trading_operator.manifests.metadata import Manifest
from trading_operator.manifests.network_policy import NameServers
from trading_operator.manifests.pod import Container, SecretFile
from trading_operator.manifests.quantity import parse_quantity


@dataclass(frozen=True)
class OperandSettings:
    """What the operator's installation decides about the systems."""

    operator_namespace: str = ""  # "" outside of a cluster: no policy lets it in
    images: Mapping[EngineName, str] = field(default_factory=dict)  # replace the default version's
    name_servers: NameServers = field(default_factory=NameServers)
    backup_image: str = ""  # of the program in backup and drill Jobs
    training_image: str = ""  # of the program in training Jobs
    sequence_image: str = ""  # likewise, with PyTorch


@dataclass(frozen=True)
class ImageContract:
    """What holds for every image of an engine, whoever built it."""

    user: int
    group: int
    data_path: str  # where the volume is mounted
    run_path: str  # a folder in memory for sockets and what is made at the start
    init_path: str | None  # folder of the scripts for the first start
    stop_seconds: int  # until it is killed
    password_stays: bool  # it is read when the volume is initialised, and never again


@dataclass(frozen=True)
class Endpoint:
    """Where a datastore answers."""

    host: str
    port: int


@dataclass(frozen=True)
class SecretRequest:
    """A Secret with generated values that must exist; made once and never overwritten."""

    manifest: Manifest  # without data
    claim: str  # name of the volume claim that it opens and goes with
    username: str
    fields: Mapping[str, str]  # further keys; `{password}` in a value is filled in


@dataclass(frozen=True)
class Throwaway:
    """A server that a restore drill fills and forgets.

    It waits until `start_file` is there: its data, or the word that it begins empty.
    """

    port: int
    start_file: str
    method: Method  # Physical: its folder is a whole database by then


class Engine(Protocol):
    """One database engine. Nothing else in the operator knows engines by name."""

    @property
    def name(self) -> EngineName:
        """Return the name in the API."""

    @property
    def images(self) -> Mapping[str, str]:
        """Return the images by version, the default version first."""

    @property
    def contract(self) -> ImageContract:
        """Return what holds for every image of this engine."""

    @property
    def port(self) -> int:
        """Return the port that the database listens on."""

    @property
    def keeps_market_data(self) -> bool:
        """Tell whether models are trained on what a store of this engine keeps."""

    def check(self, store: Datastore, path: str) -> None:
        """Raise InvalidSpecError when the engine cannot do what `store` asks for."""

    def find_risks(self, store: Datastore, path: str) -> Iterator[str]:
        """Yield what of the settings may not fit into the memory that `store` has."""

    def build_container(self, store: Datastore, image: str, password: SecretFile) -> Container:
        """Build the container: arguments, environment, probes."""

    def check_backup(self, store: Datastore, method: Method, incremental: bool, path: str) -> None:
        """Raise InvalidSpecError when `store` cannot be backed up in this way."""

    def describe_target(self, store: Datastore, method: Method) -> Mapping[str, str]:
        """Return what a backup program must know beside the address, by the job file's names."""

    def throwaway_path(self, method: Method) -> str | None:
        """Return what of its folder a drill fills before the start; None when it fills nothing."""

    def build_throwaway(
        self, store: Datastore, image: str, password: SecretFile, server: Throwaway
    ) -> Container:
        """Build the container of a server for a restore drill, without probes."""

    def connection(self, store: Datastore, endpoint: Endpoint) -> Mapping[str, str]:
        """Return what a dependant needs, by the suffix of its variable; never a password."""

    def uri(self, store: Datastore, endpoint: Endpoint) -> str:
        """Return the address with `{password}` where the password belongs."""


# The first process of a container hears of its end only when it listens.
WAIT_FOR_START = (
    "trap 'exit 143' TERM; until [ -e \"$START_FILE\" ]; do sleep 0.2; done; trap - TERM; "
)


def image_of(engine: Engine, store: Datastore, operand: OperandSettings, path: str) -> str:
    """Return the image that `store` runs; raises InvalidSpecError for an unknown version."""
    if store.image is not None:
        return store.image
    version = version_of(engine, store)
    if version == default_version(engine) and engine.name in operand.images:
        return operand.images[engine.name]
    if version in engine.images:
        return engine.images[version]
    raise InvalidSpecError(
        f"{path}.version",
        f"the operator has no image of {engine.name} {version}",
        f"use one of {', '.join(engine.images)}, or name an image yourself under image",
    )


def version_of(engine: Engine, store: Datastore) -> str:
    """Return the version that `store` asks for or gets."""
    return store.version or default_version(engine)


def default_version(engine: Engine) -> str:
    """Return the version that a datastore without one gets."""
    return next(iter(engine.images))


def memory_limit(store: Datastore) -> Decimal | None:
    """Return how much memory `store` may use, in bytes; None when nothing bounds it."""
    limits = store.resources.limits
    return None if limits is None or limits.memory is None else parse_quantity(limits.memory)


def refuse_parameters(store: Datastore, reserved: Mapping[str, str], path: str) -> None:
    """Raise InvalidSpecError for a parameter that the operator sets; `reserved` holds the mend."""
    for name, value in store.parameters.items():
        if name in reserved:
            raise InvalidSpecError(
                f"{path}.parameters.{name}", "the operator sets it itself", reserved[name]
            )
        if any(ord(character) < ord(" ") for character in value):
            raise InvalidSpecError(
                f"{path}.parameters.{name}",
                "the value has a control character",
                "write it on one line",
            )
