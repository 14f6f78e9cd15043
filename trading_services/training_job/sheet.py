"""The samples that a trainer fits to or scores."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading_services.model_training.trainer import Matrix

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Sheet:
    """Samples to fit or to score: `rows` of `features` (m x k, in time order), and their labels.

    `features` has all samples, for what looks back; `symbols` says whose each one is.
    """

    feature_names: tuple[str, ...]
    features: Matrix
    symbols: npt.NDArray[np.str_]
    rows: Indices
    labels: npt.NDArray[np.bool_]

    def windows(self, length: int) -> Matrix:
        """Return for each of `rows` the features of its symbol's last samples, n x length x k.

        Before a symbol's first sample stands the first one.
        """
        places = np.zeros((len(self.symbols), length), dtype=np.intp)
        for symbol in np.unique(self.symbols):
            own = np.flatnonzero(self.symbols == symbol)
            back = np.arange(len(own))[:, None] - np.arange(length - 1, -1, -1)[None, :]
            places[own] = own[np.maximum(back, 0)]
        return self.features[places[self.rows]]
