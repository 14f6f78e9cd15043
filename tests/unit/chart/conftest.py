"""Fixtures of the chart's tests."""

import pytest

from unit.chart.rendering import MEND, Chart, find_helm


@pytest.fixture(scope="session")
def chart() -> Chart:
    """The chart; fails with the mend where helm is absent."""
    helm = find_helm()
    if helm is None:
        pytest.fail(MEND)
    return Chart(helm)
