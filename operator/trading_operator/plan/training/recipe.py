"""What decides the result of a training: another recipe is another training."""

from trading_operator.api.model_training_job import ModelTrainingJobSpec
from trading_operator.manifests.digest import digest_of

_DECISIVE = {
    "model",
    "trainer",
    "image",
    "command",
    "dataset",
    "features",
    "config",
    "horizon_bars",
    "hyperparameters",
    "seed",
    "validation",
    "assumptions",
    "leakage_checks",
}


def recipe_of(spec: ModelTrainingJobSpec) -> str:
    """Return the digest of everything in the spec that decides the result.

    Without defaults: a later version of the operator, which knows more fields, trains nothing anew.
    """
    told = spec.model_dump(mode="json", by_alias=True, include=_DECISIVE, exclude_defaults=True)
    return digest_of(told)
