"""What is remembered between passes: refusals, contests, and objects read by name."""

import base64
from typing import Any

import pytest

from trading_operator.kube import named as named_module
from trading_operator.kube.cache import Key
from trading_operator.kube.contests import TRIES, WINDOW_SECONDS, Contests
from trading_operator.kube.errors import ApiError, Cause
from trading_operator.kube.named import NamedReader
from trading_operator.kube.refusals import LONGEST_SECONDS, SOONEST_SECONDS, Refusals
from trading_operator.kube.resources import SECRETS
from trading_operator.plan.observed import Ref
from unit.operator_runtime.scripted_server import ScriptedServer, answer_error, answer_json

KEY, REF = Key("ns", "one"), Ref("ConfigMap", "a")
ERROR = ApiError(422, "Invalid", "invalid", (Cause("spec.replicas", "must be positive"),))


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_refusal_stands_for_the_same_write_and_a_while_only() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    failure = refusals.add(KEY, REF, {"a": 1}, ERROR)
    assert failure.message == "spec.replicas: must be positive"
    assert refusals.standing(KEY, REF, {"a": 1}) == failure
    assert refusals.standing(KEY, REF, {"a": 2}) is None
    clock.now = 11.0
    assert refusals.standing(KEY, REF, {"a": 1}) is None
    assert refusals.due_in(KEY) == SOONEST_SECONDS > 0


def test_a_refusal_that_lasts_is_tried_ever_more_slowly() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    for _ in range(10):
        refusals.add(KEY, REF, {}, ERROR)
    due = refusals.due_in(KEY)
    assert due is not None
    assert LONGEST_SECONDS / 2 <= due <= LONGEST_SECONDS


def test_refusals_of_what_is_no_longer_planned_are_forgotten() -> None:
    refusals = Refusals(Clock())
    refusals.add(KEY, REF, {}, ERROR)
    refusals.keep_only(KEY, [Ref("ConfigMap", "other")])
    assert refusals.due_in(KEY) is None


def test_the_same_change_is_contested_after_three_tries_within_a_minute() -> None:
    clock = Clock()
    contests = Contests(clock)
    for _ in range(TRIES):
        assert not contests.give_up_if_contested(KEY, REF, {"a": 1})
        contests.add(KEY, REF, {"a": 1})
    assert contests.give_up_if_contested(KEY, REF, {"a": 1})
    assert not contests.give_up_if_contested(KEY, REF, {"a": 2})
    clock.now = WINDOW_SECONDS + 1
    assert not contests.give_up_if_contested(KEY, REF, {"a": 1})


def _secret(**values: str) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"kind": "Secret", "metadata": {"name": "s"}, "data": data}


async def test_a_secret_is_known_by_keys_and_digest_and_read_once_a_minute() -> None:
    server = ScriptedServer(answer_json(_secret(password="hunter2")))
    async with server.transport() as transport:
        named = NamedReader(transport)
        found = [await named.read("ns", ["s"], []) for _ in range(3)]
    assert len(server.requests) == 1
    facts = found[0].secrets["s"]
    assert facts.keys == {"password"}
    assert "hunter2" not in repr(named.__dict__)
    assert found[-1].fresh_for is not None
    assert 0 < found[-1].fresh_for <= 60


async def test_a_changed_secret_has_another_digest() -> None:
    server = ScriptedServer(answer_json(_secret(a="1")), answer_json(_secret(a="2")))
    async with server.transport() as transport:
        named = NamedReader(transport)
        first = (await named.read("ns", ["s"], [])).secrets["s"]
        named.expire(SECRETS, "ns", "s")
        second = (await named.read("ns", ["s"], [])).secrets["s"]
    assert first.digest != second.digest


async def test_a_missing_object_is_looked_for_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_module, "MISSING_SECONDS", 0.0)
    config_map = {"metadata": {"name": "c"}, "data": {"a": "1"}}
    server = ScriptedServer(answer_error(404, "NotFound"), answer_json(config_map))
    async with server.transport() as transport:
        named = NamedReader(transport)
        first = await named.read("ns", [], ["c"])
        second = await named.read("ns", [], ["c"])
    assert (dict(first.config_maps), set(second.config_maps)) == ({}, {"c"})


async def test_storage_classes_that_may_not_be_read_are_not_checked() -> None:
    async with ScriptedServer(answer_error(403, "Forbidden")).transport() as transport:
        classes = await NamedReader(transport).read_storage_classes()
    assert (classes.names, classes.default) == (None, None)


async def test_the_default_storage_class_is_known() -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    items = [{"metadata": {"name": "a"}}, {"metadata": {"name": "b", "annotations": default}}]
    server = ScriptedServer(answer_json({"items": items}))
    async with server.transport() as transport:
        named = NamedReader(transport)
        classes = await named.read_storage_classes()
        await named.read_storage_classes()
    assert classes.names == frozenset({"a", "b"})
    assert classes.default == "b"
    assert len(server.requests) == 1
