"""What a repetition found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.backups.probes import Waits


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
    gzip_dump: float  # of pg_dump as it compresses unasked
    gzip_dump_bytes: int
    plain_dump: float  # of pg_dump with zstd, which restic compresses with
    plain_dump_bytes: int
    plain_restore: float  # of the dump with zstd
    plain_copy: float
    dump: float  # of the data, with their facts
    dump_run: float  # with reading back, publishing and verifying
    dump_added_bytes: int
    restore: float  # with statistics and the comparison
    copy: float
    copy_run: float
    copy_bytes: int  # when the server had no other database yet
    chain_restore: float  # a full copy and its increments, combined and verified
    increments: list[Increment] = field(default_factory=list)
    # Of a query and an insert, by who reads the data meanwhile: "idle", "plain", "ours".
    waits: Mapping[str, Waits] = field(default_factory=dict)
