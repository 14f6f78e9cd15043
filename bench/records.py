"""What a measurement found: one record a subject and repetition, kept as JSON."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Usage:
    """What a subject, and the API server and etcd beside it, used of the machine."""

    cpu_seconds: float
    server_cpu_seconds: dict[str, float]
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Backlog:
    """Systems that were there before the subject started, brought to their spec."""

    systems: int
    children: int  # of one system
    seconds_to_children: float  # from the start of the process until the last child was there
    seconds_to_status: float  # until the last write, the last status, was answered
    child_seconds: float  # from the first child's request to the last one's answer
    writes: int
    requests: dict[str, int]
    usage: Usage


@dataclass(frozen=True)
class Restart:
    """The subject ended and started again over settled systems, and was then left alone."""

    warm_seconds: float  # from the start of the process until each system was passed over
    writes: dict[str, int]  # from the start until the end of the idle time
    idle_seconds: float
    idle_writes: int
    lease_writes: int  # while idle
    settled_bytes: int  # at the end of the idle time


@dataclass(frozen=True)
class Record:
    """All of one subject in one repetition."""

    subject: str
    repetition: int
    load: float  # of the machine when it began
    backlog: Backlog
    settled_bytes: int | None = None
    latencies: list[float] = field(default_factory=list)  # seconds, one system each
    restart: Restart | None = None
