"""What an Event says."""

from dataclasses import dataclass

NORMAL = "Normal"
WARNING = "Warning"


@dataclass(frozen=True)
class EventText:
    """What an Event says; `component` is empty for the system as a whole."""

    type: str
    reason: str
    message: str
    component: str = ""
