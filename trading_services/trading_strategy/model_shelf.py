"""The models that may be traded: read from the registry, verified before they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trading_services.contract.logs import get_logger
from trading_services.database.connection import Database
from trading_services.model_training.model_files import build_file_digest
from trading_services.model_training.registry import (
    ACTIVE,
    RegisteredModel,
    RegistryRowError,
    read_registry,
)
from trading_services.trading_strategy.book import Market
from trading_services.trading_strategy.tree_model import (
    ModelFormatError,
    TreeModel,
    build_tree_model,
)

_log = get_logger(__name__)


class ModelRefusedError(Exception):
    """A registered model must not be loaded; says why and what mends it."""


@dataclass(frozen=True)
class LoadedModel:
    """A verified model."""

    facts: RegisteredModel
    model: TreeModel

    @property
    def is_active(self) -> bool:
        """Whether the registry names it as the one to trade."""
        return self.facts.status == ACTIVE


def load_model(facts: RegisteredModel, models_dir: Path, schema_hash: str) -> LoadedModel:
    """Read and verify a model's file; raises ModelRefusedError.

    The file's digest, the digest of how features are computed, and their names must all be those
    that were registered.
    """
    if facts.feature_schema_hash != schema_hash:
        raise ModelRefusedError(
            f"{facts.model_id} was trained on features {facts.feature_schema_hash[:12]}, "
            f"feature_config.json makes {schema_hash[:12]}: train again with this configuration"
        )
    content = _read_file(facts, models_dir)
    if build_file_digest(content) != facts.file_digest:
        raise ModelRefusedError(
            f"{facts.file_path} is not the file that was registered as {facts.model_id}: its "
            "SHA-256 differs; restore it or train again"
        )
    return LoadedModel(facts, _parse(facts, content))


def _read_file(facts: RegisteredModel, models_dir: Path) -> bytes:
    path = models_dir / Path(facts.file_path).name
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelRefusedError(
            f"{facts.model_id}: {path} cannot be read ({error.strerror}); mount the models volume"
        ) from None


def _parse(facts: RegisteredModel, content: bytes) -> TreeModel:
    try:
        model = build_tree_model(content.decode())
    except (ModelFormatError, ValueError) as error:
        raise ModelRefusedError(f"{facts.model_id}: {facts.file_path}: {error}") from None
    if model.feature_names != facts.features_used:
        raise ModelRefusedError(f"{facts.model_id}: the file's features are not the registered")
    return model


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

    def __init__(self, database: Database, models_dir: Path, schema_hash: str) -> None:
        """Start empty; `refresh` reads."""
        self.models: tuple[LoadedModel, ...] = ()
        self.refusals: dict[str, str] = {}
        self._active_refused: tuple[str, ...] = ()
        self._database = database
        self._models_dir = models_dir
        self._schema_hash = schema_hash

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
        self.models = tuple(found)

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
            model = load_model(facts, self._models_dir, self._schema_hash)
            _log.info("model loaded", model_id=facts.model_id, status=facts.status)
            return model
        return LoadedModel(facts, loaded.model)

    def _announce(self, refusals: dict[str, str]) -> None:
        for model_id, reason in refusals.items():
            if self.refusals.get(model_id) != reason:
                _log.error("model refused", model_id=model_id, reason=reason)
