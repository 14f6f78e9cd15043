"""What tests of writes share."""

from collections.abc import AsyncIterator

import pytest

from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Cache
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.named import NamedReader
from unit.operator_runtime.bench import Bench, Objects
from unit.operator_runtime.scripted_server import ScriptedServer


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """An empty namespace."""
    server = Objects()
    async with ScriptedServer(server.answer).transport() as transport:
        yield Bench(
            Kube(
                transport, Cache(lambda _: None), NamedReader(transport), CapacityReader(transport)
            ),
            server,
        )
