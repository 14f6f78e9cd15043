"""The bad changes: what each one changes of a version that is good, and how it shows. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from images.catalogue import BY_NAME

REGISTRY_PORT = 28555
REPLICAS = 2
THRESHOLD = 2  # failed probes in a row that count


class Signal(StrEnum):
    """Where the kubelet tells of a failure."""

    CONTAINER = "Container"  # the pod's status: a container that waits or ended; Events as well
    READINESS = "Readiness"  # Events of the probe
    LIVENESS = "Liveness"


@dataclass(frozen=True)
class Version:
    """One version of the service: all that the changes change."""

    name: str
    image: str
    health_path: str = "/"
    settings: str = '{"cacheMebibytes": 48}'
    memory_limit: str = "128Mi"
    fails: str = ""  # what the program is told


@dataclass(frozen=True)
class Failure:
    """One kind of bad change."""

    kind: str
    title: str
    signal: Signal
    changes: Mapping[str, str] = field(default_factory=dict)
    serves_first: bool = False  # its pods become Ready, and those of the old version go


GOOD = Version("good", BY_NAME["system-controller"].reference)
FAILURES = (
    Failure(
        "image",
        "image that does not exist",
        Signal.CONTAINER,
        {"image": f"127.0.0.1:{REGISTRY_PORT}/absent:1"},
    ),
    Failure("crash", "program that crashes at start", Signal.CONTAINER, {"fails": "at-start"}),
    Failure("probe", "readiness probe that fails", Signal.READINESS, {"health_path": "/nowhere"}),
    Failure(
        "config",
        "config that breaks the program",
        Signal.CONTAINER,
        {"settings": '{"cacheMebibytes": forty-eight}'},
    ),
    Failure("memory", "memory limit that kills it", Signal.CONTAINER, {"memory_limit": "32Mi"}),
    Failure("hang", "worker that hangs after start", Signal.LIVENESS, {"fails": "later"}, True),
)
BY_KIND = {each.kind: each for each in FAILURES}


def build_bad(failure: Failure, name: str) -> Version:
    """Build a bad version; its name makes it another one than those that failed before."""
    return replace(GOOD, name=name, **failure.changes)
