"""What the operator says of a Backup."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from trading_operator.api.common import Condition, Model, Name, map_list

MAX_SETS = 10  # that the status tells of; the repository has them all
MAX_COMPARISONS = 16
MAX_REQUESTS = 10
MAX_TARGETS = 32
WORDS_LENGTH = 1024
LARGEST_COUNT = 2**53 - 1  # that JSON carries exactly
_TIME: dict[str, Any] = {"format": "date-time"}
Moment = Annotated[str, Field(max_length=32)]
SetId = Annotated[str, Field(max_length=32)]
Word = Annotated[str, Field(max_length=128)]
Words = Annotated[str, Field(max_length=WORDS_LENGTH)]
JobName = Annotated[str, Field(max_length=253)]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]


class RunKind(StrEnum):
    """What a run does."""

    FULL = "Full"
    INCREMENTAL = "Incremental"
    DRILL = "Drill"
    SAFETY = "Safety"  # full, of what a Restore is about to replace
    RESTORE = "Restore"  # of a Restore, not of the Backup


class Outcome(StrEnum):
    """How a run ended."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Run(Model):
    """One run."""

    kind: RunKind = Field(
        description="Full, Incremental, Drill, or Safety (before data are replaced)."
    )
    job: JobName = Field(description="Name of its Job.")
    outcome: Outcome = Field(description="Running, Succeeded or Failed.")
    started_at: Moment | None = Field(
        None, description="When it began (RFC 3339, UTC).", json_schema_extra=_TIME
    )
    ended_at: Moment | None = Field(
        None, description="When it ended (RFC 3339, UTC).", json_schema_extra=_TIME
    )
    reason: Word | None = Field(None, description="Why it failed, as one CamelCase word.")
    message: Words | None = Field(None, description="What it said last, for people.")


class BackupSet(Model):
    """One consistent set of all targets."""

    id: SetId = Field(description="Its name in the repository, e.g. 20261130T030000Z.")
    kind: RunKind = Field(description="Full or Incremental.")
    job: JobName = Field(description="Name of the Job that made it.")
    data_as_of: Moment | None = Field(
        None,
        description="Until when it holds the data (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    ended_at: Moment | None = Field(
        None, description="When it was published (RFC 3339, UTC).", json_schema_extra=_TIME
    )
    bytes: Count | None = Field(None, description="Bytes that it holds, before compression.")
    added_bytes: Count | None = Field(None, description="Bytes that the repository grew by.")
    warnings: list[Words] = Field(
        default_factory=list, max_length=8, description="What is worth knowing of it."
    )


class Comparison(Model):
    """One fact of restored data beside what was noted when the backup was taken."""

    target: Name = Field(description="Name of the target.")
    fact: Word = Field(description="What is compared, e.g. rows of public.orders.")
    expected: Word = Field(description="What was noted when the backup was taken.")
    found: Word = Field(description="What the restored data have.")
    equal: bool = Field(description="Whether they agree.")


class VerifiedRestore(Model):
    """A restore that went well: the data are what they were, and so long it took."""

    at: Moment = Field(description="When it ended (RFC 3339, UTC).", json_schema_extra=_TIME)
    set: SetId = Field(description="The set that was restored.")
    data_as_of: Moment | None = Field(
        None,
        description="Until when the set holds the data (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    rto_seconds: Count | None = Field(
        None, description="Seconds from the start of the restore until the data were proven."
    )
    compared: Count = Field(0, description="Facts that were compared.")
    comparison: list[Comparison] = Field(
        default_factory=list,
        max_length=MAX_COMPARISONS,
        description="The first of the facts that were compared.",
    )


class Request(Model):
    """A run that was asked for once: by the lack of a schedule, a command, or a change."""

    id: Annotated[str, Field(max_length=32)] = Field(description="Who asked, as a digest.")
    job: JobName = Field(description="Name of its Job.")
    outcome: Outcome = Field(description="Running, Succeeded or Failed.")
    set: SetId | None = Field(None, description="The set that it made.")
    targets: list[Word] = Field(
        default_factory=list,
        max_length=MAX_TARGETS,
        description="Datastores and volumes that the set holds, as the run said.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    message: Words | None = Field(None, description="What it said last, for people.")


class BackupStatus(Model):
    """What the operator last saw."""

    observed_generation: int = Field(
        0, ge=0, description="Generation of the spec that this status was computed from."
    )
    last_success: Moment | None = Field(
        None,
        description="When the newest set was published (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    size: Annotated[str, Field(max_length=32)] | None = Field(
        None, description="Size of the newest set, before compression."
    )
    scheduled_since: Moment | None = Field(
        None,
        description="Since when the schedules are in force as they are (RFC 3339, UTC): what "
        "should have begun before is no missed run.",
        json_schema_extra=_TIME,
    )
    next_run: Moment | None = Field(
        None, description="When the next backup is due (RFC 3339, UTC); absent when none is."
    )
    next_drill: Moment | None = Field(
        None, description="When the next drill is due (RFC 3339, UTC); absent when none is."
    )
    sets: Count | None = Field(None, description="Sets in the repository, as its last run said.")
    last_sets: list[BackupSet] = Field(
        default_factory=list,
        max_length=MAX_SETS,
        description="The newest sets, newest first.",
        json_schema_extra=map_list("id"),
    )
    running: list[Run] = Field(
        default_factory=list,
        max_length=8,
        description="Runs that are under way.",
        json_schema_extra=map_list("job"),
    )
    last_run: Run | None = Field(None, description="The newest backup run that ended.")
    last_drill: Run | None = Field(None, description="The newest drill that ended.")
    last_comparison: list[Comparison] = Field(
        default_factory=list,
        max_length=MAX_COMPARISONS,
        description="Facts in which the last drill found restored data to differ.",
    )
    last_verified_restore: VerifiedRestore | None = Field(
        None, description="The newest restore that was proven right."
    )
    missed_runs: Count = Field(0, description="Scheduled runs that never began.")
    last_missed_run: Moment | None = Field(
        None,
        description="When the newest of them should have begun (RFC 3339, UTC).",
        json_schema_extra=_TIME,
    )
    measured_rpo_seconds: Count | None = Field(
        None,
        description="Seconds between the data of the two newest sets: so much would have been "
        "lost at most.",
    )
    measured_rto_seconds: Count | None = Field(
        None, description="Seconds that the last verified restore took."
    )
    requests: list[Request] = Field(
        default_factory=list,
        max_length=MAX_REQUESTS,
        description="Runs that were asked for once, newest first.",
        json_schema_extra=map_list("id"),
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready (backups are taken as the spec says), Reconciling (a run is under way "
        "or waited for), Stalled (a person must mend something), Succeeded (the newest run went "
        "well), RestoreProven (so did the newest drill), ObjectivesMet (a loss costs no more than "
        "the objectives say).",
        json_schema_extra=map_list("type"),
    )
