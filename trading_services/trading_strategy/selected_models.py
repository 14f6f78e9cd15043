"""The selected versions: loaded once they are proven to be what was selected, reported until then.

A version that is refused changes nothing: the one before it is traded on.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trading_services.contract.logs import get_logger
from trading_services.database.connection import Database
from trading_services.model_training.registry import (
    RegisteredModel,
    RegistryRowError,
    read_model,
)
from trading_services.trading_strategy.live_metrics import LiveRecord
from trading_services.trading_strategy.loading import LoadedModel, ModelRefusedError
from trading_services.trading_strategy.selection import SelectedLine, SelectionFile

LOADED, REFUSED, WAITING = "Loaded", "Refused", "Waiting"
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_NOTE = """
UPDATE model_registry
SET performance_history = coalesce(performance_history, '[]'::jsonb) || %(note)s::jsonb
WHERE model_id = %(model_id)s
  AND NOT coalesce(performance_history, '[]'::jsonb) @> %(known)s::jsonb
"""
Key = tuple[str, str]

_log = get_logger(__name__)


@dataclass
class Report:
    """What is told of one line."""

    line: SelectedLine
    state: str = WAITING
    message: str = ""
    loaded_at: datetime | None = None
    errors: int = 0
    record: LiveRecord = field(default_factory=LiveRecord)

    def as_dict(self, trades: str) -> dict[str, Any]:
        """Return it as the operator reads it."""
        loaded = self.loaded_at
        return {
            "type": self.line.type,
            "timeframe": self.line.timeframe,
            "id": self.line.id,
            "digest": self.line.digest,
            "state": self.state,
            "message": self.message,
            "loadedAt": None if loaded is None else f"{loaded:%Y-%m-%dT%H:%M:%SZ}",
            "trades": trades,
            "scored": self.record.scored,
            "errors": self.errors,
            "judged": self.record.judged,
            "live": self.record.metrics or {},
        }


class SelectedModels:
    """Keeps the selected versions of each line; `load` proves and loads a registered model."""

    def __init__(
        self,
        database: Database,
        file: SelectionFile,
        load: Callable[[RegisteredModel], LoadedModel],
    ) -> None:
        """Start empty; `refresh` reads."""
        self.reports: dict[Key, Report] = {}
        self._held: dict[Key, LoadedModel] = {}
        self._database = database
        self._file = file
        self._load = load

    def has_changed(self) -> bool:
        """Tell whether something else is selected than a moment ago."""
        return self._file.refresh()

    def refresh(self) -> list[LoadedModel]:
        """Load what is new, and return the model of each line that is traded."""
        self._file.refresh()
        lines = {line.key: line for line in self._file.lines}
        self.reports = {key: self._report(line) for key, line in lines.items()}
        self._held = {key: model for key, model in self._held.items() if key in lines}
        # Of two lines for one market the newer selection counts.
        newest = sorted(self._held, key=lambda key: lines[key].since or _BEGINNING, reverse=True)
        return [self._held[key] for key in newest]

    def note_error(self, model_id: str) -> None:
        """Count a bar that a version could not score."""
        for report in self.reports.values():
            if report.line.id == model_id:
                report.errors += 1

    def describe(self) -> list[dict[str, Any]]:
        """Return what is told of all lines."""
        held, reports = dict(self._held), dict(self.reports)
        return [
            report.as_dict(held[key].facts.model_id if key in held else "")
            for key, report in sorted(reports.items())
        ]

    def loaded(self) -> Iterable[Report]:
        """Yield the reports of the lines whose selected version is traded."""
        return [each for each in self.reports.values() if each.state == LOADED]

    def _report(self, line: SelectedLine) -> Report:
        known = self.reports.get(line.key)
        if known is not None and known.line == line and known.state == LOADED:
            return known
        report = Report(line) if known is None or known.line != line else known
        before = (report.state, report.message)
        report.state, report.message = self._try(line)
        if report.state == LOADED:
            report.loaded_at = datetime.now(UTC)
            self._note_selected(line)
        if (report.state, report.message) != before:
            _log.info(
                "selected model",
                model_id=line.id,
                state=report.state,
                problem=report.message,
                by=line.by,
                why=line.why,
            )
        return report

    def _try(self, line: SelectedLine) -> tuple[str, str]:
        try:
            facts = read_model(self._database, line.id)
            if facts is None:
                return WAITING, f"model_registry has no row {line.id} yet"
            if facts.file_digest != line.digest:
                return REFUSED, f"{line.id} was registered with another digest than is selected"
            if (facts.model_type, facts.timeframe) != line.key:
                return REFUSED, f"{line.id} is of {facts.model_type} {facts.timeframe}"
            self._held[line.key] = self._load(facts)
        except (ModelRefusedError, RegistryRowError) as error:
            return REFUSED, str(error)
        return LOADED, ""

    def _note_selected(self, line: SelectedLine) -> None:
        """Add to the row's history, once a selection: what is there is never changed."""
        at = (line.since or _BEGINNING).isoformat()
        event = {"event": "Selected", "at": at}
        self._database.execute(
            _NOTE,
            {
                "model_id": line.id,
                "note": json.dumps([{**event, "by": line.by, "why": line.why}]),
                "known": json.dumps([event]),
            },
        )
