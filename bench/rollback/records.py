"""What a run found; all times are seconds since the epoch, so that other figures can be had."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reaction:
    """The kubelet's word, and what the operator wrote after it, as the audit log dates them."""

    first: float  # the kubelet's first report of the failure was answered
    first_words: str
    decided: float  # the report that decides was answered
    decided_words: str
    verdict: float | None  # the operator's record that the change failed was answered
    rollback_received: float  # its first write to the workload came to the API server
    rollback: float  # and was answered
    first_seen: float  # when the bench's own watch told of the reports
    decided_seen: float


@dataclass(frozen=True)
class Record:
    """One bad change of one subject."""

    subject: str
    kind: str
    run: int
    load: float  # of the machine when it began
    applied: float  # just before the command of a person started
    ended: float | None  # when that command ended
    restored: float | None  # all pods were Ready ones of the old version again; None: not in time
    told_back: float | None  # the system's status said so
    observed: float  # until when somebody looked
    polls: int
    failed_polls: int
    longest_gap: float
    told: str  # what the subject said at the end
    reaction: Reaction | None = None
    requests: list[str] = field(default_factory=list)  # of the operator, with ms since `applied`


@dataclass(frozen=True)
class Sample:
    """One bad change on fake nodes."""

    failed: float  # the fake kubelet's report was answered
    verdict: float | None
    rollback: float  # the operator's first write to the workload was answered


@dataclass(frozen=True)
class Storm:
    """Bad changes on fake nodes, alone and while other systems change."""

    systems: int  # that change at the same time
    load: float = 0.0  # of the machine when it began
    idle: list[Sample] = field(default_factory=list)
    storm: list[Sample] = field(default_factory=list)
    waves: list[tuple[float, float]] = field(default_factory=list)  # when the others changed
    operator_cpu_seconds: float = 0.0  # in the waves

    def samples_in_waves(self) -> list[Sample]:
        """Return the samples whose failure came while the others changed."""
        return [
            each
            for each in self.storm
            if any(begin <= each.failed <= end for begin, end in self.waves)
        ]
