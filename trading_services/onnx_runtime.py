"""The one way to onnxruntime: without its telemetry."""

import os
from typing import Any

# Read once, when the library is loaded. Without it the official builds for Linux keep an
# id of the machine and send names and hashes of models to their maker (since 1.29).
_OPT_OUT = "ORT_DISABLE_TELEMETRY"


def load_onnxruntime() -> Any:
    """Return the library, which is loaded only where an ONNX model is used; raises ImportError."""
    os.environ[_OPT_OUT] = "1"
    import onnxruntime  # noqa: TID251

    return onnxruntime
