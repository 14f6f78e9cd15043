"""How far recent features have moved from those that a model was trained on."""

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

BUCKETS = 10
SMALLEST_SHARE = 1e-3


def build_drift(reference: Matrix, recent: Matrix) -> float:
    """Return the median population stability index over the columns; 0 means no move.

    Both have one row a sample and the same columns. The median, because a column such as the
    month moves by its nature: what counts is that most of them have moved.
    """
    indices = [
        build_stability_index(reference[:, column], recent[:, column])
        for column in range(reference.shape[1])
    ]
    return float(np.median(indices)) if indices else 0.0


def build_stability_index(
    reference: npt.NDArray[np.float64], recent: npt.NDArray[np.float64]
) -> float:
    """Return the population stability index over the deciles of `reference`."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, BUCKETS + 1)[1:-1]))
    expected = _build_shares(reference, edges)
    actual = _build_shares(recent, edges)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def _build_shares(
    values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    # An empty bucket would make the logarithm infinite.
    return np.maximum(counts / max(len(values), 1), SMALLEST_SHARE)
