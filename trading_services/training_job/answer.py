"""What the program says at its end: a short JSON text that the kubelet hands to the operator."""

import json
import sys
from pathlib import Path
from typing import Any

PATH = Path("/dev/termination-log")
MOST_BYTES = 4096


def fit_answer(answer: dict[str, Any]) -> bytes:
    """Return the answer as it fits: details of the folds go first, then all of them."""
    text = _render(answer)
    if len(text) > MOST_BYTES and "folds" in answer:
        first = [
            {**fold, "metrics": dict(list(fold["metrics"].items())[:1])} for fold in answer["folds"]
        ]
        text = _render({**answer, "folds": first})
    if len(text) > MOST_BYTES:
        text = _render({name: value for name, value in answer.items() if name != "folds"})
    if len(text) > MOST_BYTES:
        spare = {**answer, "folds": [], "attempts": [], "message": answer.get("message", "")[:512]}
        text = _render(spare)
    return text[:MOST_BYTES]


def write_answer(answer: dict[str, Any], path: Path = PATH) -> None:
    """Leave the answer behind; without such a file it is on stdout alone."""
    text = fit_answer(answer)
    sys.stdout.write(text.decode() + "\n")
    sys.stdout.flush()
    if path.exists():
        path.write_bytes(text)


def build_failure(reason: str, message: str) -> dict[str, Any]:
    """Return the answer of a training that failed."""
    return {"outcome": "Failed", "reason": reason, "message": message[:1000]}


def _render(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()
