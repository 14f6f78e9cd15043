"""A system that is proven good."""

import pytest

from unit.operator_pure.rollout.worlds import Desk, desk


@pytest.fixture
def settled() -> Desk:
    """A desk at its first version, which is proven."""
    world = Desk()
    world.settle(desk("1"))
    return world
