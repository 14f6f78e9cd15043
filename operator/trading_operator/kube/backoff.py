"""How long to wait before trying again."""

import random

Uniform = random.Random().uniform


def delay(failures: int, first: float = 0.1, longest: float = 60.0) -> float:
    """Return seconds to wait after the given number of failures in a row: doubling, jittered.

    Jitter of one half keeps many keys, or many replicas, from trying again at the same moment.
    """
    exact = min(longest, first * 2.0 ** min(failures, 32))
    return exact * Uniform(0.5, 1.0)
