"""Scores rows with a LightGBM text model, without LightGBM: the strategy needs no native code."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# decision_type's bits, as LightGBM writes them: categorical, default left, then missing handling.
CATEGORICAL_BIT = 1
DEFAULT_LEFT_BIT = 2
MISSING_ZERO = 1
MISSING_NAN = 2
ZERO_THRESHOLD = 1e-35


class ModelFormatError(Exception):
    """The text is no model of the kind that this reader understands; says what is wrong."""


@dataclass(frozen=True)
class Tree:
    """One tree; children below zero are leaves, numbered by their complement."""

    features: tuple[int, ...]
    thresholds: tuple[float, ...]
    decisions: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    leaves: tuple[float, ...]

    def score(self, row: Sequence[float]) -> float:
        """Return the value of the leaf that `row` falls into."""
        if not self.features:
            return self.leaves[0]
        node = 0
        while node >= 0:
            goes_left = _goes_left(
                row[self.features[node]], self.thresholds[node], self.decisions[node]
            )
            node = self.left[node] if goes_left else self.right[node]
        return self.leaves[~node]


@dataclass(frozen=True)
class TreeModel:
    """A binary classifier: the sigmoid of the sum of its trees."""

    feature_names: tuple[str, ...]
    sigmoid: float
    trees: tuple[Tree, ...]

    def score(self, row: Sequence[float]) -> float:
        """Return the probability of the positive class for one row in `feature_names` order."""
        # Not sum(): from Python 3.12 on it compensates rounding, and scores would differ.
        raw = 0.0
        for tree in self.trees:
            raw += tree.score(row)
        return 1.0 / (1.0 + math.exp(-self.sigmoid * raw))


def build_tree_model(text: str) -> TreeModel:
    """Parse a LightGBM text model; raises ModelFormatError if it is not one of ours."""
    body, end, _ = text.partition("end of trees")
    blocks = [_build_fields(block) for block in body.split("\n\n")]
    header = blocks[0]
    trees = tuple(_build_tree(block) for block in blocks if "Tree" in block)
    names = tuple(_field(header, "feature_names").split(" "))
    if not trees or not end:
        raise ModelFormatError("the model has no trees or is cut off")
    return TreeModel(names, _build_sigmoid(_field(header, "objective")), trees)


def _build_fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines() if "=" in line)
    return {name: value for name, _, value in pairs}


def _field(block: Mapping[str, str], name: str) -> str:
    if name not in block:
        raise ModelFormatError(f"the model lacks the field {name}")
    return block[name]


def _build_sigmoid(objective: str) -> float:
    kind, _, options = objective.partition(" ")
    if kind != "binary":
        raise ModelFormatError(f"the objective is {kind}, only binary can be scored")
    values = dict(option.split(":", 1) for option in options.split() if ":" in option)
    return float(values.get("sigmoid", "1"))


def _build_tree(block: Mapping[str, str]) -> Tree:
    if int(block.get("num_cat", "0")) or int(block.get("is_linear", "0")):
        raise ModelFormatError(f"tree {block['Tree']} has categorical or linear parts")
    leaves = _numbers(_field(block, "leaf_value"))
    if len(leaves) == 1:
        return Tree((), (), (), (), (), leaves)
    tree = Tree(
        features=_integers(_field(block, "split_feature")),
        thresholds=_numbers(_field(block, "threshold")),
        decisions=_integers(_field(block, "decision_type")),
        left=_integers(_field(block, "left_child")),
        right=_integers(_field(block, "right_child")),
        leaves=leaves,
    )
    if any(decision & CATEGORICAL_BIT for decision in tree.decisions):
        raise ModelFormatError(f"tree {block['Tree']} splits on a category")
    return tree


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split())


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split())


def _goes_left(value: float, threshold: float, decision: int) -> bool:
    missing = (decision >> 2) & 3
    if math.isnan(value):
        if missing == MISSING_NAN:
            return bool(decision & DEFAULT_LEFT_BIT)
        # Where training saw no missing value, LightGBM reads one as zero.
        value = 0.0
    if missing == MISSING_ZERO and abs(value) <= ZERO_THRESHOLD:
        return bool(decision & DEFAULT_LEFT_BIT)
    return value <= threshold
