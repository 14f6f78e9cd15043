"""What trades with a model tells nobody of it."""

import os
import subprocess
import sys
from pathlib import Path

# The library is silent by itself under these, which would prove nothing.
_SILENCING = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "BUILD_ID", "ORT_")
_LOAD = """
from trading_services.onnx_runtime import load_onnxruntime
print(load_onnxruntime().get_available_providers())
"""


def test_the_runtime_keeps_no_id_of_the_machine_and_nothing_to_send(tmp_path: Path) -> None:
    surroundings = {
        name: value for name, value in os.environ.items() if not name.startswith(_SILENCING)
    }
    surroundings |= {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    surroundings.pop("XDG_CACHE_HOME", None)
    told = subprocess.run(
        [sys.executable, "-c", _LOAD], env=surroundings, capture_output=True, text=True, check=True
    )
    assert "CPUExecutionProvider" in told.stdout
    assert list(tmp_path.rglob("*")) == []
