"""What the program says at its end: a short JSON text that the kubelet hands to the operator."""

import json
import sys
from pathlib import Path
from typing import Any

PATH = Path("/dev/termination-log")
MOST_BYTES = 4096
_TEXT_LENGTHS = (512, 256, 128, 64)
_MOST_ENTRIES = 32


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
    spare = {**answer, "folds": [], "attempts": [], "expired": []}
    for most in _TEXT_LENGTHS:
        if len(text) > MOST_BYTES:
            text = _render(_cut(spare, most))
    return text


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


def _cut(value: Any, most: int) -> Any:
    """Return nested facts with every text cut: a text that is cut off is better than no JSON."""
    if isinstance(value, dict):
        return {name: _cut(each, most) for name, each in list(value.items())[:_MOST_ENTRIES]}
    if isinstance(value, list):
        return [_cut(each, most) for each in value[:_MOST_ENTRIES]]
    return value[:most] if isinstance(value, str) else value


def _render(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()
