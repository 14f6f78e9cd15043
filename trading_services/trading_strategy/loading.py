"""Loads a registered model, once its file is proven to be what was registered."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trading_services.model_training.model_files import build_file_digest
from trading_services.model_training.registry import ACTIVE, RegisteredModel
from trading_services.trading_strategy.onnx_model import OnnxModel, build_onnx_model
from trading_services.trading_strategy.tree_model import (
    ModelFormatError,
    TreeModel,
    build_tree_model,
)


class ModelRefusedError(Exception):
    """A registered model must not be loaded; says why and what mends it."""


@dataclass(frozen=True)
class LoadedModel:
    """A verified model."""

    facts: RegisteredModel
    model: TreeModel | OnnxModel
    columns: tuple[int, ...] | None = None  # of the features that it reads; None: all, in order

    @property
    def window(self) -> int:
        """How many rows it reads, the newest among them."""
        return self.model.window if isinstance(self.model, OnnxModel) else 1

    def score(self, rows: Sequence[Sequence[float]]) -> float:
        """Return the probability of a rise, from rows in the strategy's order, newest last."""
        chosen = [self._choose(row) for row in rows]
        if isinstance(self.model, OnnxModel):
            return self.model.score(chosen)
        return self.model.score(chosen[-1])

    def _choose(self, row: Sequence[float]) -> Sequence[float]:
        columns = self.columns
        return row if columns is None else [row[column] for column in columns]

    @property
    def is_active(self) -> bool:
        """Whether the registry names it as the one to trade."""
        return self.facts.status == ACTIVE


def load_model(
    facts: RegisteredModel,
    models_dir: Path,
    schema_hash: str,
    feature_names: Sequence[str] | None = None,
) -> LoadedModel:
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
    return LoadedModel(facts, _parse(facts, content), _find_columns(facts, feature_names))


def _read_file(facts: RegisteredModel, models_dir: Path) -> bytes:
    path = models_dir / Path(facts.file_path).name
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelRefusedError(
            f"{facts.model_id}: {path} cannot be read ({error.strerror}); mount the models volume"
        ) from None


def _parse(facts: RegisteredModel, content: bytes) -> TreeModel | OnnxModel:
    try:
        model = _read(facts, content)
    except (ModelFormatError, ValueError) as error:
        raise ModelRefusedError(f"{facts.model_id}: {facts.file_path}: {error}") from None
    if model.feature_names != facts.features_used:
        raise ModelRefusedError(f"{facts.model_id}: the file's features are not the registered")
    return model


def _read(facts: RegisteredModel, content: bytes) -> TreeModel | OnnxModel:
    if facts.file_format == "onnx":
        return build_onnx_model(content)
    if facts.file_format != "lightgbm":
        raise ModelFormatError(f"files of the format {facts.file_format} cannot be read")
    return build_tree_model(content.decode())


def _find_columns(
    facts: RegisteredModel, feature_names: Sequence[str] | None
) -> tuple[int, ...] | None:
    """Return where the features are that a model reads; raises ModelRefusedError."""
    if feature_names is None or facts.features_used == tuple(feature_names):
        return None
    missing = sorted(set(facts.features_used) - set(feature_names))
    if missing:
        raise ModelRefusedError(
            f"{facts.model_id} reads {', '.join(missing[:5])}, which feature_config.json does not "
            "make; train it on features that are there"
        )
    places = {name: place for place, name in enumerate(feature_names)}
    return tuple(places[name] for name in facts.features_used)
