"""What a run found; times are seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Overhead:
    """One training as a resource and one as a bare Job with the same pod."""

    repetition: int
    load: float  # of the machine when it began
    ours: float  # from the resource's creation until its status says Succeeded
    bare: float  # from the Job's creation until it is Complete


@dataclass(frozen=True)
class Rollback:
    """One promoted version whose live metric breaks its bound."""

    repetition: int
    load: float
    told: float  # from the bad metric's first answer until services are told of the one before
    traded: float  # until the strategy says that it trades with it


@dataclass(frozen=True)
class Checkpoints:
    """What the program of a longer training says that its checkpoints cost."""

    load: float
    training: float
    saving: float
    count: int
