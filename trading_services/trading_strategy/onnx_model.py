"""Scores windows of rows with an ONNX file: the format of recurrent models."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trading_services.onnx_runtime import load_onnxruntime
from trading_services.trading_strategy.tree_model import ModelFormatError

_WINDOW, _FEATURES = "window", "feature_names"  # of the file's metadata
_MOST_ROWS = 4096


@dataclass(frozen=True)
class OnnxModel:
    """A network that reads the last `window` rows."""

    feature_names: tuple[str, ...]
    window: int
    session: Any

    def score(self, rows: Sequence[Sequence[float]]) -> float:
        """Return the probability of the positive class; before the first row stands the first."""
        import numpy as np  # comes with the runtime

        known = list(rows[-self.window :])
        padded = [known[0]] * (self.window - len(known)) + known
        windows = np.asarray([padded], dtype=np.float32)
        (scores,) = self.session.run(None, {"features": windows})
        return float(scores[0, 0])


def build_onnx_model(content: bytes) -> OnnxModel:
    """Read a file; raises ModelFormatError if it is none of ours."""
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    # One bar at a time: more threads only wait for each other.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        told = session.get_modelmeta().custom_metadata_map
        window, names = int(told[_WINDOW]), tuple(map(str, json.loads(told[_FEATURES])))
    except Exception as error:  # the runtime has error classes of its own for each kind
        raise ModelFormatError(f"the ONNX file cannot be read: {error}") from None
    if not 1 <= window <= _MOST_ROWS or not names:
        raise ModelFormatError(f"the ONNX file wants {window} rows of {len(names)} features")
    return OnnxModel(names, window, session)
