"""A status is written whole, by a patch: nothing of the one before is left."""

from typing import Any

import pytest

from trading_operator.kube.status import write_status
from unit.operator_runtime.objects import build_body
from unit.operator_runtime.scripted_server import ScriptedServer, answer_json


def _merge(target: Any, patch: Any) -> Any:
    """Merge as RFC 7396 says."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"a": 1}),
        ({"a": 1, "b": 2}, {"b": 3}),
        ({"rollout": {"phase": "Baking", "ready": 1}}, {"rollout": {"phase": "Proven"}}),
        ({"rollout": {"phase": "Baking"}}, {}),
        ({"rollout": {"deep": {"a": 1}}}, {"rollout": {"deep": {}, "b": [1]}}),
        ({"lines": [{"a": 1}]}, {"lines": [{"b": 1}]}),
    ],
)
async def test_what_left_the_status_is_gone_however_deep_it_was(before: Any, after: Any) -> None:
    server = ScriptedServer(answer_json(build_body()))
    async with server.transport() as transport:
        await write_status(transport, build_body(status=before), after)
    (patch,) = server.bodies
    assert _merge(before, patch["status"]) == after


async def test_what_is_there_already_is_not_written() -> None:
    server = ScriptedServer(answer_json(build_body()))
    async with server.transport() as transport:
        status = {"rollout": {"phase": "Proven"}}
        assert await write_status(transport, build_body(status=status), status) is None
    assert server.bodies == []
