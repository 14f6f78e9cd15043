"""What a repetition found."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Increment:
    """One increment after some writes."""

    seconds: float
    bytes: int  # that it copied from the server
    added_bytes: int  # that the repository grew by


@dataclass(frozen=True)
class Record:
    """The plain tools and ours, one after the other, on the same data. Times are seconds."""

    repetition: int
    load: float  # of the machine when it began
    database_bytes: int
    plain_dump: float
    plain_restore: float
    plain_copy: float
    dump: float  # of the data, with their facts
    dump_run: float  # with reading back, publishing and verifying
    dump_added_bytes: int
    restore: float  # with statistics and the comparison
    copy: float
    copy_run: float
    copy_bytes: int
    chain_restore: float  # a full copy and its increments, combined and verified
    increments: list[Increment] = field(default_factory=list)
    # Milliseconds of a query and an insert: nobody backs up, pg_dump does, our Job does.
    idle_median: float = 0.0
    idle_99: float = 0.0
    plain_median: float = 0.0
    plain_99: float = 0.0
    ours_median: float = 0.0
    ours_99: float = 0.0
