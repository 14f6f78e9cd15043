"""What the program in a Job says, while it runs and at its end: not trusted blindly."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field, ValidationError

from trading_operator.api.backup_status import LARGEST_COUNT, WORDS_LENGTH, Outcome
from trading_operator.api.common import Model
from trading_operator.plan.backup.case import JobFacts
from trading_operator.plan.moments import read_moment

_WORD_LENGTH = 128
_MOST = 64  # facts or warnings that are read
# Jobs and pods are watched apart: a Job may be known to be over before what its pod said.
_UNHEARD = timedelta(minutes=1)


def _cut(length: int) -> BeforeValidator:
    return BeforeValidator(lambda value: str(value)[:length] if value is not None else None)


def _moment(value: Any) -> str | None:
    return str(value) if value and read_moment(str(value)) is not None else None


def _first(value: Any) -> Any:
    return value[:_MOST] if isinstance(value, list) else value


def _whole(value: Any) -> Any:
    return round(value) if isinstance(value, float) else value


Word = Annotated[str, _cut(_WORD_LENGTH)]
Words = Annotated[str, _cut(WORDS_LENGTH)]
Moment = Annotated[str | None, BeforeValidator(_moment)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=LARGEST_COUNT)]


class Compared(Model):
    """One fact of restored data beside what was noted of it."""

    target: Annotated[str, _cut(27)]
    fact: Word
    expected: Word
    found: Word
    equal: bool


class Answer(Model):
    """What a run says of itself."""

    outcome: Word
    reason: Word = ""
    message: Words = ""
    set: Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z$")] | None = None
    mode: Word | None = None
    ended_at: Moment = None
    data_as_of: Moment = None
    bytes: Count | None = None
    added_bytes: Count | None = None
    sets: Count | None = None
    rto_seconds: Count | None = None
    compared: Count = 0
    comparison: Annotated[tuple[Compared, ...], BeforeValidator(_first)] = ()
    warnings: Annotated[tuple[Words, ...], BeforeValidator(_first)] = ()

    @property
    def went_well(self) -> bool:
        """Tell whether the run says that it did what it was to do."""
        return self.outcome == "Succeeded"


class Progress(Model):
    """How far a run is."""

    phase: Word
    target: Word | None = None
    done: Count = 0
    total: Count = 0
    remaining_seconds: Count | None = None

    def __str__(self) -> str:
        """Describe it for people."""
        if self.target is None:
            return self.phase
        return f"{self.phase} {self.target}, {self.done + 1} of {self.total}"


def read_progress(text: bytes) -> Progress | None:
    """Read what a program says of its progress; None of what is none of ours."""
    try:
        return Progress.model_validate(orjson.loads(text))
    except (orjson.JSONDecodeError, ValidationError):
        return None


def read_answer(words: str) -> Answer | None:
    """Read a termination message; None of what is none of ours."""
    try:
        return Answer.model_validate(orjson.loads(words))
    except (orjson.JSONDecodeError, ValidationError):
        return None


def is_ending(job: JobFacts, now: datetime) -> bool:
    """Tell whether what a Job that has gone well says of itself may still be on its way."""
    ended = read_moment(job.ended_at)
    if job.outcome != Outcome.SUCCEEDED or job.words or ended is None:
        return False
    return now - ended < _UNHEARD
