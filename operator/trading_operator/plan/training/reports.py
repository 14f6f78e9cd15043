"""What a service says of the models that it trades with (GET /models): not trusted blindly."""

from typing import Annotated

import orjson
from pydantic import Field, ValidationError

from trading_operator.api.common import Model
from trading_operator.plan.backup.answers import Count, Moment, Word, Words

MOST_REPORTS = 256


class ModelReport(Model):
    """One line of models, as the service has it."""

    type: Word
    timeframe: Word
    id: Word  # that is selected
    digest: Word = ""
    state: Word  # Loaded, Refused or Waiting
    message: Words = ""
    loaded_at: Moment = None
    trades: Word = ""  # id of the version that it trades with
    scored: Count = 0  # bars
    errors: Count = 0  # bars that it could not score
    judged: Count = 0  # scored bars whose outcome is known
    live: dict[Word, Word] = Field(default_factory=dict)


class _Reports(Model):
    models: Annotated[tuple[ModelReport, ...], Field(max_length=MOST_REPORTS)] = ()


def read_reports(text: bytes) -> tuple[ModelReport, ...] | None:
    """Read an answer; None of what is none of ours."""
    try:
        return _Reports.model_validate(orjson.loads(text)).models
    except (orjson.JSONDecodeError, ValidationError):
        return None
