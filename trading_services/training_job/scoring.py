"""Scores samples with a model's file, whichever trainer has written it."""

import json

import numpy as np

from trading_services.model_training.trainer import Matrix
from trading_services.onnx_runtime import load_onnxruntime
from trading_services.training_job.boosting import score_text
from trading_services.training_job.onnx_file import WINDOW
from trading_services.training_job.sheet import Sheet


class UnknownFormatError(Exception):
    """The file cannot be scored here; says why."""


def score_file(content: bytes, file_format: str, sheet: Sheet) -> Matrix:
    """Return the probability of a rise for each row; raises UnknownFormatError."""
    try:
        scores = _score(content, file_format, sheet)
    except UnknownFormatError:
        raise
    except Exception as error:  # the libraries raise what they like at what is no file of theirs
        raise UnknownFormatError(
            f"its {file_format} file is refused ({type(error).__name__}: {str(error)[:200]}); "
            "promote another version"
        ) from None
    if scores.shape != (len(sheet.rows),) or not bool(((scores >= 0) & (scores <= 1)).all()):
        raise UnknownFormatError(
            "its file gives no probability for each bar; promote another version"
        )
    return scores


def _score(content: bytes, file_format: str, sheet: Sheet) -> Matrix:
    if file_format == "lightgbm":
        return score_text(content.decode(), sheet.features[sheet.rows])
    if file_format == "onnx":
        return _score_onnx(content, sheet)
    raise UnknownFormatError(f"files of the format {file_format} cannot be scored here")


def _score_onnx(content: bytes, sheet: Sheet) -> Matrix:
    try:
        onnxruntime = load_onnxruntime()
    except ImportError:
        raise UnknownFormatError(
            "this image has no onnxruntime; take model-training-torch"
        ) from None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    windows = sheet.windows(int(json.loads(told[WINDOW])))
    (scores,) = session.run(None, {"features": windows.astype(np.float32)})
    return np.asarray(scores[:, 0], dtype=np.float64)
