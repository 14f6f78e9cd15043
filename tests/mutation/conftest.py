"""The control plane of the integration tests; one operator over a few namespaces."""

from collections.abc import Iterator

import pytest

from cluster.api import ClusterHandle
from integration.conftest import client, control_plane  # noqa: F401
from integration.kube_client import KubeClient
from mutation.operator_under_test import OperatorUnderTest, running_operator


@pytest.fixture
def operator(
    control_plane: ClusterHandle,  # noqa: F811
    client: KubeClient,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OperatorUnderTest]:
    """The operator as it is, leading."""
    with running_operator(control_plane, client, tmp_path_factory.mktemp("operator")) as made:
        yield made
