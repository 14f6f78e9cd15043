"""The models that may be traded: read from the registry, verified before they are loaded."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from trading_services.contract.logs import get_logger
from trading_services.database.connection import Database
from trading_services.model_training.registry import (
    ACTIVE,
    RETIRED,
    RegisteredModel,
    RegistryRowError,
    read_registry,
)
from trading_services.trading_strategy.book import Market
from trading_services.trading_strategy.loading import (
    LoadedModel,
    ModelRefusedError,
    load_model,
)
from trading_services.trading_strategy.selected_models import SelectedModels
from trading_services.trading_strategy.selection import SelectionFile

_log = get_logger(__name__)


def choose_model(
    models: Sequence[LoadedModel], market: Market, bar_time: datetime
) -> LoadedModel | None:
    """Return the model for a bar: the active one, or for a bar that it knows, its predecessor.

    A bar that had a part in making or choosing a model is never traded with it.
    """
    fitting = [
        each
        for each in models
        if each.facts.timeframe == market.timeframe and market.symbol in each.facts.symbols
    ]
    active = next((each for each in fitting if each.is_active), None)
    # A refused active model leaves the ones before it, so that trading goes on.
    limit = active.facts.usable_after if active else datetime.max.replace(tzinfo=bar_time.tzinfo)
    usable = [
        each
        for each in fitting
        if each.facts.usable_after < bar_time
        and (each is active or each.facts.usable_after < limit)
    ]
    return max(usable, key=lambda each: each.facts.usable_after, default=None)


class ModelShelf:
    """Keeps the verified models of the registry; a refused one leaves those before it in place."""

    def __init__(
        self,
        database: Database,
        models_dir: Path,
        schema_hash: str,
        feature_names: Sequence[str] | None = None,
        selection: SelectionFile | None = None,
    ) -> None:
        """Start empty; `refresh` reads. What `selection` names goes before the registry."""
        self.models: tuple[LoadedModel, ...] = ()
        self.refusals: dict[str, str] = {}
        self._active_refused: tuple[str, ...] = ()
        self._database = database
        self._load = functools.partial(
            load_model,
            models_dir=models_dir,
            schema_hash=schema_hash,
            feature_names=feature_names,
        )
        self.selected = SelectedModels(database, selection or SelectionFile(), self._load)

    def refresh(self) -> None:
        """Read the registry, load what is new, and take over what changed its status."""
        loaded = {each.facts.model_id: each for each in self.models}
        registry = read_registry(self._database)
        refusals = {each.model_id: str(each) for each in registry.refused}
        found = []
        for facts in registry.models:
            try:
                found.append(self._take(facts, loaded.get(facts.model_id)))
            except ModelRefusedError as error:
                refusals[facts.model_id] = str(error)
        self._announce(refusals)
        rows: list[RegisteredModel | RegistryRowError] = [*registry.models, *registry.refused]
        active = {row.model_id for row in rows if row.status == ACTIVE}
        self._active_refused = tuple(refusals[name] for name in sorted(active & refusals.keys()))
        self.refusals = refusals
        self.models = tuple(_prefer(self.selected.refresh(), found))

    def markets(self) -> list[Market]:
        """Return every market that some model was trained for, in a stable order."""
        return sorted(
            {
                Market(symbol, each.facts.timeframe)
                for each in self.models
                for symbol in each.facts.symbols
            }
        )

    def first_bar_after(self, market: Market) -> datetime | None:
        """Return the earliest time after which some model may trade this market."""
        return min(
            (
                each.facts.usable_after
                for each in self.models
                if each.facts.timeframe == market.timeframe and market.symbol in each.facts.symbols
            ),
            default=None,
        )

    def why_unusable(self) -> str | None:
        """Return why nothing, or not what the registry calls active, is traded; else None."""
        if self.models:
            return "; ".join(self._active_refused) or None
        refused = "; ".join(self.refusals.values())
        return refused or "no model is registered yet"

    def _take(self, facts: RegisteredModel, loaded: LoadedModel | None) -> LoadedModel:
        if loaded is None or loaded.facts.file_digest != facts.file_digest:
            model = self._load(facts)
            _log.info("model loaded", model_id=facts.model_id, status=facts.status)
            return model
        return replace(loaded, facts=facts)

    def _announce(self, refusals: dict[str, str]) -> None:
        for model_id, reason in refusals.items():
            if self.refusals.get(model_id) != reason:
                _log.error("model refused", model_id=model_id, reason=reason)


def _prefer(
    selected: Sequence[LoadedModel], registered: Sequence[LoadedModel]
) -> list[LoadedModel]:
    """Return all models, of each timeframe that has a selected one that as the active one."""
    chosen = {each.facts.model_id for each in selected}
    timeframes = {each.facts.timeframe for each in selected}
    others = [
        replace(each, facts=replace(each.facts, status=RETIRED))
        if each.facts.timeframe in timeframes
        else each
        for each in registered
        if each.facts.model_id not in chosen
    ]
    active = [replace(each, facts=replace(each.facts, status=ACTIVE)) for each in selected]
    return [*others, *active]
