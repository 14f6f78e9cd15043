"""What a pass reads anew, and what it may remember."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trading_operator.kube.access import Kube
from trading_operator.kube.cache import Cache, Key
from trading_operator.kube.capacity import CapacityReader
from trading_operator.kube.named import NamedReader
from trading_operator.kube.read import read_observed
from trading_operator.plan.observed import Ref
from trading_operator.plan.references import References
from trading_operator.plan.types import Owner
from unit.operator_runtime.objects import OWNER_UID, build_config_map
from unit.operator_runtime.scripted_server import Answer, ScriptedServer, answer_error, answer_json

OWNER = Owner("tradingoperator.io/v1alpha1", "TradingSystem", "one", "ns", OWNER_UID, 1)
REFERENCES = References(
    frozenset({"one-db-credentials"}),
    frozenset(),
    {"one-db-credentials": Ref("StatefulSet", "one-db")},
)
CLASSES = answer_json({"items": []})
SECRET = answer_json({"kind": "Secret", "metadata": {"name": "one-db-credentials"}, "data": {}})


@asynccontextmanager
async def _reading(*answers: Answer) -> AsyncIterator[Kube]:
    async with ScriptedServer(*answers).transport() as transport:
        kube = Kube(
            transport, Cache(lambda _: None), NamedReader(transport), CapacityReader(transport)
        )
        await kube.named.read_storage_classes()
        yield kube


def _put_running_store(kube: Kube) -> None:
    for kind, name in (("StatefulSet", "one-db"), ("PersistentVolumeClaim", "data-one-db-0")):
        kube.cache.put({**build_config_map(name, 1), "kind": kind})


async def _secrets(kube: Kube) -> set[str]:
    return set((await read_observed(kube, OWNER, REFERENCES, None)).observed.secrets)


async def test_a_password_is_not_decided_from_memory_before_its_workload_is_there() -> None:
    async with _reading(CLASSES, SECRET, answer_error(404, "NotFound")) as kube:
        assert await _secrets(kube) == {"one-db-credentials"}
        assert await _secrets(kube) == set()


async def test_the_password_of_a_running_workload_is_remembered() -> None:
    async with _reading(CLASSES, SECRET, answer_error(404, "NotFound")) as kube:
        _put_running_store(kube)
        assert await _secrets(kube) == {"one-db-credentials"}
        assert await _secrets(kube) == {"one-db-credentials"}


async def test_a_password_is_not_decided_from_memory_while_its_claim_is_away() -> None:
    async with _reading(CLASSES, SECRET, answer_error(404, "NotFound")) as kube:
        kube.cache.put({**build_config_map("one-db", 1), "kind": "StatefulSet"})
        assert await _secrets(kube) == {"one-db-credentials"}
        assert await _secrets(kube) == set()


async def test_what_was_read_by_name_is_forgotten_with_a_system_of_the_namespace() -> None:
    async with _reading(CLASSES, SECRET, answer_error(404, "NotFound")) as kube:
        _put_running_store(kube)
        assert await _secrets(kube) == {"one-db-credentials"}
        kube.forget(Key("ns", "one"))
        assert await _secrets(kube) == set()


async def test_a_config_that_is_watched_is_not_read_by_name() -> None:
    async with _reading(CLASSES) as kube:  # whatever else is asked for has no answer
        kube.cache.put(build_config_map("one-market-1", 1))
        named = References(frozenset(), frozenset({"one-market-1"}), {})
        observed = (await read_observed(kube, OWNER, named, None)).observed
        assert observed.config_maps == {"one-market-1"}
        assert observed.config_digests["one-market-1"]
