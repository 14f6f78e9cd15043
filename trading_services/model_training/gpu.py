"""The GPU check before training: asked for means there, or a clear failure."""

import subprocess

QUERY = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
TIMEOUT_SECONDS = 20


class GpuMissingError(Exception):
    """GPU_ENABLED asks for a GPU and none answers; says what to change."""

    def __init__(self, problem: str) -> None:
        """Keep what is wrong, without the mend."""
        super().__init__(
            f"GPU_ENABLED is true, but nvidia-smi found no GPU: {problem}. "
            "Request one for model-training (gpu.count) or set GPU_ENABLED to false."
        )
        self.problem = problem


def read_gpus(command: list[str] | None = None) -> list[str]:
    """Return one line a GPU (name, memory, driver); raises GpuMissingError if there is none."""
    try:
        answer = subprocess.run(
            command or QUERY, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except FileNotFoundError:
        raise GpuMissingError("nvidia-smi is not installed here") from None
    except subprocess.TimeoutExpired:
        raise GpuMissingError(f"no answer in {TIMEOUT_SECONDS} s") from None
    if answer.returncode != 0:
        detail = (answer.stderr or answer.stdout).strip().splitlines()
        raise GpuMissingError(detail[0] if detail else f"exit {answer.returncode}")
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
