"""The models that services are told to trade with: a file a service, beside the trading state.

Each ModelTrainingJob says in its status which version of its line is traded; the system writes what
all of them say. The line of one that is gone stays as it is: nobody said that it should change.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from pydantic import Field, ValidationError

from trading_operator.api.common import Model
from trading_operator.api.model_training_status import SelectedModel
from trading_operator.manifests.digest import digest_of
from trading_operator.manifests.metadata import Manifest
from trading_operator.plan.draft import System
from trading_operator.plan.observed import Ref, Selection
from trading_operator.plan.types import ModelNotice

_SUFFIX = ".models.json"


class _Line(SelectedModel):
    """One line of the file."""

    type: str = Field(max_length=63)
    timeframe: str = Field(max_length=16)


class _File(Model):
    models: list[_Line] = Field(default_factory=list)


def models_key(service: str) -> str:
    """Return the name of a service's own file."""
    return f"{service}{_SUFFIX}"


def build_model_files(system: System, live: Manifest | None) -> dict[str, str]:
    """Return the file of each service that has one, by its key; `live` is what pods read now."""
    files = {}
    for service in system.spec.services:
        before = ((live or {}).get("data") or {}).get(models_key(service.name))
        lines = _merge(_read_lines(before or ""), system.observed.selections, service.name)
        if lines or before is not None:
            files[models_key(service.name)] = _render(lines)
    return files


def build_model_notice(system: System, ref: Ref, files: Mapping[str, str]) -> ModelNotice:
    """Return which pods have not heard of what their file says."""
    digests = {key.removesuffix(_SUFFIX): digest_of(text) for key, text in files.items()}
    pods = {
        pod.name: digests[pod.component]
        for pod in system.observed.pods
        if pod.component in digests and not pod.deleting and pod.models != digests[pod.component]
    }
    return ModelNotice(ref, files, pods)


def read_selected(
    file: Manifest | None, service: str, type_: str, timeframe: str
) -> SelectedModel | None:
    """Return the model of a line that a live file names; None of what is none of ours."""
    text = ((file or {}).get("data") or {}).get(models_key(service), "")
    for line in _read_lines(text):
        if (line.type, line.timeframe) == (type_, timeframe):
            return SelectedModel.model_validate(line.model_dump(exclude={"type", "timeframe"}))
    return None


def _merge(
    before: Iterable[_Line], selections: Iterable[Selection], service: str
) -> Iterable[_Line]:
    """Return the lines of a service: of each, what its ModelTrainingJob says now."""
    lines = {(line.type, line.timeframe): line for line in before}
    for each in selections:
        place = (each.type, each.timeframe)
        if each.service != service:
            moved = lines.get(place)
            if moved is not None and moved.by == _author(each.owner):
                del lines[place]  # its ModelTrainingJob is about another service by now
        elif each.model is not None:
            told = each.model.model_dump(exclude={"metric"})
            lines[place] = _Line(**told, type=each.type, timeframe=each.timeframe)
        elif each.spoke:
            lines.pop(place, None)
    return [lines[place] for place in sorted(lines)]


def _author(owner: str) -> str:
    return f"ModelTrainingJob {owner}"


def _read_lines(text: str) -> list[_Line]:
    try:
        return _File.model_validate(orjson.loads(text)).models if text else []
    except (orjson.JSONDecodeError, ValidationError):
        return []


def _render(lines: Iterable[_Line]) -> str:
    content: Mapping[str, Any] = {
        "models": [
            each.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"metric"})
            for each in lines
        ]
    }
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    return orjson.dumps(content, option=options).decode() + "\n"
